import { request } from 'node:http';
import type { Socket } from 'node:net';
import type { buildConnector, Dispatcher } from 'undici';

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

/** Keeps connections alive between requests. */
export interface Transport {
  /** GET. Redirects aren't followed, and every status is an answer. */
  request(
    url: string,
    options: { readonly headers: Readonly<Record<string, string>>; readonly signal: AbortSignal },
  ): Promise<Dispatcher.ResponseData>;
  close(): Promise<void>;
}

/** undici is loaded by the first request: a sixth of what an agent loads, which needs it only to pull. */
export function openTransport(network: RegistryNetwork): Transport {
  let opened: Promise<Dispatcher> | undefined;
  return {
    async request(url, options) {
      opened ??= openAgent(network);
      const { origin, pathname, search } = new URL(url);
      const where = { method: 'GET', origin, path: `${pathname}${search}` } as const;
      return (await opened).request({ ...where, ...options });
    },
    close: async () => (await opened)?.destroy(),
  };
}

async function openAgent(network: RegistryNetwork): Promise<Dispatcher> {
  const { Agent, buildConnector } = await import('undici');
  const { insecure, proxySocket, connectTimeoutMs: timeout, idleTimeoutMs } = network;
  const limits = { headersTimeout: idleTimeoutMs, bodyTimeout: idleTimeoutMs };
  if (proxySocket === undefined) return new Agent({ ...limits, connect: { timeout } });
  const dial = buildConnector({ timeout, allowH2: false });
  const direct = new Set(insecure);
  return new Agent({ ...limits, connect: connectThrough(proxySocket, { dial, timeout, direct }) });
}

/**
 * Dials a unix socket, asks for a tunnel (RFC 9110 §9.3.6), and speaks TLS with the registry inside it. Registries that
 * are named insecure are on the hosts' own network: no way out leads to them.
 */
function connectThrough(
  unixSocket: string,
  by: {
    readonly dial: buildConnector.connector;
    readonly timeout: number;
    readonly direct: ReadonlySet<string>;
  },
): buildConnector.connector {
  const { dial, timeout, direct } = by;
  return (options, callback) => {
    const { hostname, port, protocol } = options;
    const target = `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
    if (direct.has(target) || direct.has(hostname)) return dial(options, callback);
    const tunnel = openTunnel({ unixSocket, target, timeoutMs: timeout });
    if (protocol !== 'https:') return void settle(tunnel, callback);
    const secured = tunnel.then((httpSocket) => connected(dial, { ...options, httpSocket }));
    void settle(secured, callback);
  };
}

function connected(
  dial: buildConnector.connector,
  options: buildConnector.Options,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    dial(options, (error, socket) => (error ? reject(error) : resolve(socket)));
  });
}

async function settle(socket: Promise<Socket>, callback: buildConnector.Callback): Promise<void> {
  try {
    callback(null, await socket);
  } catch (error) {
    callback(error instanceof Error ? error : new Error(String(error)), null);
  }
}

function openTunnel(to: {
  unixSocket: string;
  target: string;
  timeoutMs: number;
}): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const { unixSocket: socketPath, target: path, timeoutMs: timeout } = to;
  const headers = { host: path };
  const asking = request({ socketPath, method: 'CONNECT', path, headers, timeout, agent: false });
  asking.on('connect', ({ httpVersion, statusCode = 0, statusMessage }, socket, head) => {
    if (statusCode >= 200 && statusCode < 300) {
      if (head.length > 0) socket.unshift(head);
      return resolve(socket);
    }
    socket.destroy();
    reject(new Error(`proxy: HTTP/${httpVersion} ${statusCode} ${statusMessage}`));
  });
  asking.on('timeout', () => asking.destroy(new Error('proxy: no answer to CONNECT')));
  asking.on('error', (cause: NodeJS.ErrnoException) => {
    const what = 'proxy: hung up before an answer to CONNECT';
    reject(cause.code === 'ECONNRESET' ? new Error(what, { cause }) : cause);
  });
  asking.end();
  return promise;
}
