import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyPluginAsync, FastifyPluginCallback } from 'fastify';
import type { Kind, Subresource } from '../../api/kind.ts';
import type { Base } from '../../base/base.ts';
import type { Metrics } from '../../base/metrics.ts';
import type { PodAccess } from '../pod-access.ts';
import type { Cache } from '../store/cache.ts';
import type { Objects } from '../store/objects.ts';
import type { UsageBoard } from '../usage-board.ts';
import type { openChangeFeed } from './change-feed.ts';
import type { SharedEncoder } from './watch-events.ts';

export interface ApiServerDeps extends Base {
  readonly kinds: readonly Kind[];
  readonly objects: Objects;
  readonly cache: Cache;
  /** The store's newest revision: what a read must have seen to be current. */
  readonly currentRevision: () => Promise<number>;
  /** Who is it, by what came with the connection? undefined: nobody we know (401). */
  readonly authenticate: (request: IncomingMessage) => User | undefined;
  readonly podAccess: PodAccess;
  readonly usage: UsageBoard;
  readonly metrics: Metrics;
  /** Where Services get their addresses from: "10.96.0.0/16". */
  readonly serviceCidr: string;
  /** Further routes, which see to their own authentication: joining, the dashboard. */
  readonly plugins?: readonly (FastifyPluginAsync | FastifyPluginCallback)[];
}

export type User = Readonly<{ name: string; groups: readonly string[] }>;

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
  /** Aborts when the server closes: streams end then. */
  readonly closing: AbortSignal;
}
