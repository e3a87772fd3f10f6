import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyPluginAsync, FastifyPluginCallback } from 'fastify';
import type { AnyObject, Kind, Subresource } from '../../api/kind.ts';
import { Namespace } from '../../api/namespace.ts';
import { isObject } from '../../api/normalize.ts';
import type { Parsed } from '../../api/prepare.ts';
import {
  forbidden,
  found,
  hasReason,
  invalid,
  type StatusError,
  type StatusReason,
} from '../../api/status.ts';
import type { User } from '../../api/user-info.ts';
import type { Base } from '../../base/base.ts';
import { formatTime } from '../../base/clock.ts';
import type { Metrics } from '../../base/metrics.ts';
import type { PodAccess } from '../pod-access.ts';
import type { Cache, TiedObjects } from '../store/objects.ts';
import { checkUnchanged } from '../store/preconditions.ts';
import type { UsageBoard } from '../usage-board.ts';
import type { openChangeFeed } from './change-feed.ts';
import { formatOf } from './media-type.ts';
import { parseObjectBody } from './parse-body.ts';
import type { Writer } from './patch/managed-fields.ts';
import type { openLimits, RequestLimits } from './request-limits.ts';
import { asText, badRequest, type WriteOptions } from './request-options.ts';
import type { ServiceAccountTokens } from './service-account-tokens.ts';
import { encodeOne } from './table.ts';
import type { SharedEncoder } from './watch-events.ts';

export interface ApiServerDeps extends Base {
  readonly objects: TiedObjects;
  readonly cache: Cache;
  /** The store's newest revision: what a read must have seen to be current. */
  readonly currentRevision: () => Promise<number>;
  /** Answers only if the store itself does. */
  readonly readStore: () => Promise<unknown>;
  /** Who is it, by the certificate that came with the connection? undefined: nobody we know. */
  readonly authenticate: (request: IncomingMessage) => User | undefined;
  readonly tokens: ServiceAccountTokens;
  readonly podAccess: PodAccess;
  readonly usage: UsageBoard;
  readonly metrics: Metrics;
  /** Where Services get their addresses from: "10.96.0.0/16". */
  readonly serviceCidr: string;
  readonly requestLimits: RequestLimits;
  /** Further routes, which see to their own authentication: joining, the dashboard. */
  readonly plugins?: readonly (FastifyPluginAsync | FastifyPluginCallback)[];
}

/** One request for a resource, read from the URL, the headers and the body; nothing is checked against the kind yet. */
export interface Call {
  readonly kind: Kind;
  /** "" for cluster-scoped kinds and for requests over all namespaces. */
  readonly namespace: string;
  /** "" for collections. */
  readonly name: string;
  readonly subresource: Subresource | '';
  readonly query: URLSearchParams;
  readonly accept: string;
  /** Lower case, without parameters; "" when the client sent none. */
  readonly contentType: string;
  readonly userAgent: string;
  readonly body: Buffer;
  readonly user: User;
  /** What it was read from, for those who pass it on as it comes. */
  readonly raw: Readonly<{ request: IncomingMessage; response: ServerResponse }>;
  /** A sentence for the user beside the answer: a Warning header. */
  warn(text: string): void;
}

export interface Answer {
  readonly code: number;
  /** JSON. */
  readonly body: string;
}

/** An answer that goes on: from here on errors can't be told with a status code any more. */
export interface Streaming {
  stream(response: ServerResponse): void;
}

/** What the handlers of one server share. */
export interface ApiServer extends ApiServerDeps {
  readonly changes: ReturnType<typeof openChangeFeed>;
  readonly encodeShared: SharedEncoder;
  readonly letIn: ReturnType<typeof openLimits>;
  /** Aborts when the server closes: streams end then. */
  readonly closing: AbortSignal;
}

/** What the writing handlers share: from the body to a valid object, and from the result to the answer. */

/** The object, with its warnings told; or Invalid with every error. */
export function accepted<T>(call: Pick<Call, 'kind' | 'warn'>, name: string, parsed: Parsed<T>): T {
  if ('errors' in parsed) throw invalid(call.kind, name, parsed.errors);
  for (const { path, message } of parsed.warnings) call.warn(`${path}: ${message}`);
  return parsed.object;
}

/** The URL says where the object belongs; a body that says otherwise is a mistake. */
export function checkAddress(
  { namespace, name }: Pick<Call, 'namespace' | 'name'>,
  body: Readonly<Record<string, unknown>>,
): void {
  const metadata = metadataIn(body);
  if (metadata.namespace && metadata.namespace !== namespace)
    throw badRequest(
      `the namespace of the provided object does not match the namespace sent on the request (${asText(metadata.namespace)}, ${namespace})`,
    );
  if (name !== '' && metadata.name && metadata.name !== name)
    throw badRequest(
      `the name of the object (${asText(metadata.name)}) does not match the name on the URL (${name})`,
    );
}

export const metadataIn = ({ metadata }: Readonly<Record<string, unknown>>) =>
  isObject(metadata) ? metadata : {};

/** Who names a uid or a resourceVersion means the object that has it. Throws Conflict. */
export function checkIdentity(
  kind: Kind,
  stored: AnyObject,
  wanted: Readonly<Record<string, unknown>>,
): void {
  const { uid = '', resourceVersion = '' } = metadataIn(wanted);
  checkUnchanged(kind, stored, { uid: asText(uid), resourceVersion: asText(resourceVersion) });
}

/** The body of a request for what the URL names. */
export function bodyOf(call: Call): Readonly<Record<string, unknown>> {
  const body = parseObjectBody(call);
  checkAddress(call, body);
  return body;
}

/** For what is no failure here. */
export const ignoring =
  (reason: StatusReason) =>
  (error: unknown): undefined => {
    if (!hasReason(error, reason)) throw error;
  };

/** Nothing is made in a namespace that isn't there, or is going. */
export async function checkNamespace(
  { kind, namespace }: Pick<Call, 'kind' | 'namespace'>,
  name: string,
  { cache, objects }: ApiServerDeps,
): Promise<void> {
  if (!kind.namespaced) return;
  const key = { namespace: '', name: namespace };
  const known = cache.get(Namespace, key) ?? (await objects.get(Namespace, key));
  if (found(Namespace, namespace, known).metadata.deletionTimestamp !== undefined)
    throw terminating(kind, name, namespace);
}

export const applyType = 'application/apply-patch+yaml';

/** As metadata.managedFields will name who sent this. */
export const writerOf = (
  { kind, subresource, contentType }: Call,
  { fieldManager: manager }: WriteOptions,
  { clock }: Pick<ApiServerDeps, 'clock'>,
): Writer => ({
  ...{ kind, subresource, manager, time: formatTime(clock.now()) },
  operation: contentType === applyType ? 'Apply' : 'Update',
});

export function answer(
  call: Pick<Call, 'kind' | 'accept' | 'query'>,
  object: AnyObject,
  { clock }: Pick<ApiServerDeps, 'clock'>,
): Answer {
  const format = formatOf(call.accept, call.query);
  return { code: 200, body: encodeOne(object, { kind: call.kind, format, now: clock.now() }) };
}

function terminating(kind: Kind, name: string, namespace: string): StatusError {
  const message = `namespace ${namespace} is being terminated`;
  return forbidden(kind, name, {
    why: `unable to create new content in namespace ${namespace} because it is being terminated`,
    causes: [{ reason: 'NamespaceTerminating', message, field: 'metadata.namespace' }],
  });
}
