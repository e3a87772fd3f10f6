import type { Dispatcher } from 'undici';

/** How this node reaches registries. */
export interface RegistryNetwork {
  /** HOST or HOST:PORT of registries that speak plain HTTP. Every other one must have a valid certificate. */
  readonly insecure: readonly string[];
  /** Of a CONNECT proxy (`orc dev`). */
  readonly proxySocket: string | undefined;
  readonly connectTimeoutMs: number;
  /** Longest silence: before the answer's head and between two pieces of its body. */
  readonly idleTimeoutMs: number;
}

export type Transport = ReturnType<typeof openTransport>;

interface Get {
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/**
 * Keeps connections alive between requests. undici is loaded by the first one: a sixth of what an agent loads, which needs
 * it only to pull.
 */
export function openTransport(network: RegistryNetwork) {
  let opened: Promise<Dispatcher> | undefined;
  return {
    /** GET. Redirects aren't followed, and every status is an answer. */
    async request(url: string, options: Get): Promise<Dispatcher.ResponseData> {
      opened ??= import('./registry-agent.ts').then(({ openAgent }) => openAgent(network));
      const { origin, pathname, search } = new URL(url);
      const where = { method: 'GET', origin, path: `${pathname}${search}` } as const;
      return (await opened).request({ ...where, ...options });
    },
    close: async () => (await opened)?.destroy(),
  };
}
