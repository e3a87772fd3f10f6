import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { isObject } from '../api/normalize.ts';
import * as status from '../api/status.ts';
import { rootCause } from '../base/error-chain.ts';
import { parseJson } from '../base/json-text.ts';
import { linesOf } from '../base/lines.ts';
import { CliError } from './cli-error.ts';
import type { Connection } from './kubeconfig.ts';

export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Of the body. */
  readonly type?: string;
  readonly accept?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What is undefined, false or "" isn't sent. */
export type Query = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

export type Reply<T> = Readonly<{ code: number; body: T }>;

/** Kubernetes' API over one kept connection (a few when asked at the same time). */
export function connect(connection: Connection, onWarning: (text: string) => void) {
  const agent = new Agent({ keepAlive: true, ...connection.tls });
  /** The answer as it arrives. Throws as `send`. */
  const open = async (wanted: ApiRequest, timeout?: number): Promise<IncomingMessage> => {
    const { method = 'GET', signal } = wanted;
    const body = wanted.body === undefined ? undefined : JSON.stringify(wanted.body);
    const headers = headersOf(connection, wanted, body);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const options = { agent, method, headers, signal, timeout };
      const sent = request(urlOf(connection, wanted), options, resolve);
      sent.on('error', (error) => reject(unreachable(connection, error)));
      sent.on('timeout', () => sent.destroy(new Error(`no answer within ${timeout} ms`)));
      sent.end(body);
    });
    for (const warning of warningsOf(response)) onWarning(warning);
    const { statusCode = 0 } = response;
    if (statusCode >= 200 && statusCode < 300) return response;
    throw refusal(statusCode, await text(response));
  };
  /** The answer's lines as they arrive. Throws as `send`. */
  const lines = async function* (wanted: ApiRequest): AsyncGenerator<string> {
    const response = await open(wanted);
    try {
      yield* linesOf(response);
    } catch (cause) {
      throw new CliError('the connection broke', { cause });
    } finally {
      response.destroy();
    }
  };
  /** The answer's JSON, trusted to be a T. Throws StatusError for what the server refuses, CliError otherwise. */
  const send = async <T>(wanted: ApiRequest): Promise<Reply<T>> => {
    const response = await open(wanted, answerTimeoutMs);
    const answer = await text(response).catch((error: unknown) => {
      throw unreachable(connection, error);
    });
    return { code: response.statusCode ?? 0, body: objectIn<T>(connection, answer) };
  };
  return { connection, open, lines, send, close: () => agent.destroy() };
}

export type ApiClient = ReturnType<typeof connect>;

/** How long the server may be silent. Twice as long until TLS is agreed. */
const answerTimeoutMs = 15_000;

function headersOf({ headers }: Connection, wanted: ApiRequest, body: string | undefined) {
  const { accept = 'application/json', type = 'application/json' } = wanted;
  const common = { accept, 'user-agent': 'orc', ...headers };
  if (body === undefined) return common;
  return { ...common, 'content-type': type, 'content-length': Buffer.byteLength(body) };
}

export function urlOf({ server }: Connection, { path, query = {} }: ApiRequest): URL {
  const url = new URL(server + path);
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === false || value === '') continue;
    for (const one of Array.isArray(value) ? value : [value])
      url.searchParams.append(name, String(one));
  }
  return url;
}

/** What went wrong on the way, in words; an abort stays what it is. */
export function unreachable({ server }: Connection, cause: unknown): Error {
  const { code = '', name } = rootCause(cause) as NodeJS.ErrnoException;
  if (name === 'AbortError') return cause as Error;
  if (code === 'ECONNREFUSED')
    return new CliError(`the controller at ${server} doesn't answer: is it running?`);
  if (/CERT|SIGNATURE|ALTNAME|SSL|TLS/.test(code))
    return new CliError(
      `${server} is not the controller that the kubeconfig knows: get a new admin.kubeconfig from it`,
      { cause },
    );
  return new CliError(`no connection to the controller at ${server}`, { cause });
}

type WireStatus = Readonly<{ message?: string; reason?: string; details?: status.StatusDetails }>;

export function refusal(code: number, body: string): Error {
  const { message, reason = '', details = {} }: WireStatus = jsonObject(body) ?? {};
  if (message === undefined)
    return new CliError(`the server answered ${code}: ${body.trim().slice(0, 500)}`);
  const known = Object.hasOwn(status.statusReasons, reason)
    ? (reason as status.StatusReason)
    : reasonOf(code);
  return new status.StatusError(known, message, { details });
}

function objectIn<T>({ server }: Connection, body: string): T {
  const object = jsonObject(body);
  if (object !== undefined) return object as T;
  const start = JSON.stringify(body.slice(0, 80));
  throw new CliError(`${server} is no controller: it answered ${start}`);
}

function jsonObject(text: string): Readonly<Record<string, unknown>> | undefined {
  const value = parseJson(text);
  return isObject(value) ? value : undefined;
}

function reasonOf(code: number): status.StatusReason {
  const found = Object.entries(status.statusReasons).find(([, reason]) => reason.code === code);
  return (found?.[0] as status.StatusReason | undefined) ?? 'InternalError';
}

/** `Warning: 299 - "text"`: Kubernetes' way to say "done, but". */
const warningsOf = ({ headers: { warning = '' } }: IncomingMessage): readonly string[] =>
  [...warning.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, quoted = '']) =>
    quoted.replace(/\\(.)/g, '$1'),
  );
