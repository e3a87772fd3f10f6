import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { type RawData, WebSocket } from 'ws';
import { CliError } from './cli-error.ts';
import { type ApiRequest, refusal, unreachable, urlOf } from './client.ts';
import type { Connection } from './kubeconfig.ts';

/**
 * A command in a container, over a WebSocket with Kubernetes' subprotocol v5.channel.k8s.io: each message's first byte
 * is its channel, 0 stdin, 1 stdout, 2 stderr, 3 the final Status, 4 the terminal's size, 255 the end of a channel.
 */
export interface ExecConnection {
  /** False: taken, but wait for {@link drained}. */
  write(chunk: Uint8Array): boolean;
  drained(): Promise<void>;
  endInput(): void;
  resize(columns: number, rows: number): void;
  /** Its exit code. Rejects with CliError when it couldn't be run or the connection broke. */
  readonly exited: Promise<number>;
  close(): void;
}

export type OnOutput = (stream: 'stdout' | 'stderr', chunk: Buffer) => void;

/** Resolves when the command is about to run. Throws StatusError for what the server refuses, CliError otherwise. */
export async function openExec(
  connection: Connection,
  request: ApiRequest,
  onOutput: OnOutput,
): Promise<ExecConnection> {
  const url = urlOf(connection, request);
  url.protocol = url.protocol === 'http:' ? 'ws:' : 'wss:';
  const { token, tls } = connection;
  const socket = new WebSocket(url, ['v5.channel.k8s.io'], {
    ...tls,
    perMessageDeflate: false,
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
  });
  const exited = exitCodeOf(socket, onOutput);
  exited.catch(() => {});
  await opened(socket, connection);
  return {
    exited,
    write(chunk) {
      socket.send(Buffer.concat([Buffer.of(channel.stdin), chunk]));
      return socket.bufferedAmount < highWaterBytes;
    },
    drained: () => drained(socket),
    endInput: () => socket.send(Buffer.of(channel.close, channel.stdin)),
    resize: (columns, rows) => {
      const size = JSON.stringify({ Width: columns, Height: rows });
      socket.send(Buffer.concat([Buffer.of(channel.resize), Buffer.from(size)]));
    },
    close: () => socket.terminate(),
  };
}

const channel = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 };
const highWaterBytes = 1024 * 1024;

function opened(socket: WebSocket, connection: Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', (error) => reject(unreachable(connection, error)));
    socket.once('unexpected-response', (_, response: IncomingMessage) => {
      text(response).then((body) => reject(refusal(response.statusCode ?? 0, body)), reject);
    });
  });
}

/** A message of nothing on stdin is sent when all before it has been. */
function drained(socket: WebSocket): Promise<void> {
  return new Promise((resolve) => socket.send(Buffer.of(channel.stdin), () => resolve()));
}

function exitCodeOf(socket: WebSocket, onOutput: OnOutput): Promise<number> {
  return new Promise((resolve, reject) => {
    socket.on('message', (raw) => {
      const message = bytesOf(raw);
      const payload = message.subarray(1);
      if (message[0] === channel.stdout) onOutput('stdout', payload);
      if (message[0] === channel.stderr) onOutput('stderr', payload);
      if (message[0] === channel.status) settle(payload.toString(), { resolve, reject });
    });
    socket.on('error', (cause) => reject(new CliError('the connection broke', { cause })));
    socket.on('close', () => reject(new CliError('the connection ended before the command did')));
  });
}

interface ExecStatus {
  readonly status?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { reason?: string; message?: string }[] };
}

function settle(
  json: string,
  { resolve, reject }: { resolve: (code: number) => void; reject: (error: Error) => void },
): void {
  const { status, message = '', details } = JSON.parse(json) as ExecStatus;
  const exit = details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message;
  if (status === 'Success') resolve(0);
  else if (exit !== undefined && /^\d+$/.test(exit)) resolve(Number(exit));
  else reject(new CliError(`the command did not run: ${message}`));
}

function bytesOf(message: RawData): Buffer {
  if (Buffer.isBuffer(message)) return message;
  return Array.isArray(message) ? Buffer.concat(message) : Buffer.from(message);
}
