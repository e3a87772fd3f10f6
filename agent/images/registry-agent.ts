import { request } from 'node:http';
import type { Socket } from 'node:net';
import { Agent, buildConnector, type Dispatcher } from 'undici';
import type { RegistryNetwork } from './registry-transport.ts';

/** undici's connections to registries, by a proxy if there is one. */
export function openAgent(network: RegistryNetwork): Dispatcher {
  const { insecure, proxySocket, connectTimeoutMs: timeout, idleTimeoutMs } = network;
  const limits = { headersTimeout: idleTimeoutMs, bodyTimeout: idleTimeoutMs };
  if (proxySocket === undefined) return new Agent({ ...limits, connect: { timeout } });
  const direct = new Set(insecure);
  return new Agent({ ...limits, connect: connectThrough(proxySocket, { timeout, direct }) });
}

/**
 * Dials a unix socket, asks for a tunnel (RFC 9110 §9.3.6), and speaks TLS with the registry inside it. Registries that
 * are named insecure are on the hosts' own network: no way out leads to them.
 */
function connectThrough(
  unixSocket: string,
  { timeout, direct }: { readonly timeout: number; readonly direct: ReadonlySet<string> },
): buildConnector.connector {
  const dial = buildConnector({ timeout, allowH2: false });
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
