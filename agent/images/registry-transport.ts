import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { noRegistries, type Registries } from './registries.ts';

/** How this node reaches registries. */
export interface RegistryNetwork {
  /** HOST or HOST:PORT of registries that speak plain HTTP. Every other one must have a valid certificate. */
  readonly insecure: readonly string[];
  /** Of a CONNECT proxy (`orc dev`). */
  readonly proxySocket: string | undefined;
  readonly connectTimeoutMs: number;
  /** Longest silence: before the answer's head and between two pieces of its body. */
  readonly idleTimeoutMs: number;
  readonly registries?: Registries;
  /** Docker's config.json. */
  readonly dockerConfig?: string | undefined;
  readonly proxies?: Proxies;
}

/** URLs, or "" for none; `not`: hosts that are reached without them, as NO_PROXY lists them. */
export type Proxies = Readonly<{ http: string; https: string; not: string }>;

export type Transport = ReturnType<typeof openTransport>;

export interface RegistryRequest {
  /** GET, or POST with a body, unless it is said. */
  readonly method?: Dispatcher.HttpMethod;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer | Readable;
  readonly signal: AbortSignal;
}

/**
 * Keeps connections alive between requests. undici is loaded by the first one: a sixth of what an agent loads, which needs
 * it only to pull.
 */
export function openTransport(network: RegistryNetwork) {
  let opened: ReturnType<typeof open> | undefined;
  const open = () => import('./registry-agent.ts').then(({ openAgents }) => openAgents(network));
  const limits = { headersTimeout: network.idleTimeoutMs, bodyTimeout: network.idleTimeoutMs };
  return {
    network,
    registries: network.registries ?? noRegistries,
    /** Redirects aren't followed, and every status is an answer. */
    async request(url: string, options: RegistryRequest): Promise<Dispatcher.ResponseData> {
      opened ??= open();
      const { origin, host, pathname, search } = new URL(url);
      const method = options.body === undefined ? 'GET' : 'POST';
      const agent = (await opened).agentFor(host);
      return agent.request({ method, origin, path: `${pathname}${search}`, ...limits, ...options });
    },
    close: async () => (await opened)?.close(),
  };
}
