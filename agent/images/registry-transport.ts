import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Agent, buildConnector, type Dispatcher, ProxyAgent } from 'undici';

/** How this node reaches registries. */
export interface RegistryNetwork {
  /** HOST or HOST:PORT of registries that speak plain HTTP. Every other one must have a valid certificate. */
  readonly insecure: readonly string[];
  /** A CONNECT proxy, at an http URL or on a unix socket (`orc dev`). */
  readonly proxy: undefined | { readonly url: string } | { readonly unixSocket: string };
  readonly connectTimeoutMs: number;
  /** Longest silence: before the answer's head and between two pieces of its body. */
  readonly idleTimeoutMs: number;
}

/** Keeps connections alive between requests; destroy() it. */
export function openTransport(network: RegistryNetwork): Dispatcher {
  const { proxy, connectTimeoutMs, idleTimeoutMs } = network;
  const limits = { headersTimeout: idleTimeoutMs, bodyTimeout: idleTimeoutMs };
  const timeout = connectTimeoutMs;
  if (proxy === undefined) return new Agent({ ...limits, connect: { timeout } });
  if ('url' in proxy) return new ProxyAgent({ ...limits, uri: proxy.url, proxyTunnel: true });
  const direct = new Set(network.insecure);
  return new Agent({ ...limits, connect: connectThrough(proxy.unixSocket, { timeout, direct }) });
}

/**
 * Dials a unix socket, asks for a tunnel (RFC 9110 §9.3.6), and speaks TLS with the registry inside it. Registries that
 * are named insecure are on the hosts' own network: no way out leads to them.
 */
function connectThrough(
  unixSocket: string,
  { timeout, direct }: { readonly timeout: number; readonly direct: ReadonlySet<string> },
): buildConnector.connector {
  const dial = buildConnector({ timeout });
  return (options, callback) => {
    const { hostname, port, protocol } = options;
    const target = `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
    if (direct.has(target) || direct.has(hostname)) return dial(options, callback);
    const connected = openTunnel({ unixSocket, target, timeoutMs: timeout }).then((socket) =>
      protocol === 'https:' ? secure(socket, hostname) : socket,
    );
    void settle(connected, callback);
  };
}

async function settle(
  connected: Promise<Socket>,
  callback: buildConnector.Callback,
): Promise<void> {
  try {
    callback(null, await connected);
  } catch (error) {
    callback(error instanceof Error ? error : new Error(String(error)), null);
  }
}

const maxHeadBytes = 16_384;

function openTunnel(to: {
  unixSocket: string;
  target: string;
  timeoutMs: number;
}): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ path: to.unixSocket, timeout: to.timeoutMs });
  let head = Buffer.alloc(0);
  const fail = (error: Error) => {
    socket.destroy();
    reject(error);
  };
  const onSilence = () => fail(new Error('proxy: no answer to CONNECT'));
  const onData = (chunk: Buffer) => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0 && head.length < maxHeadBytes) return;
    const status = head.toString('latin1', 0, Math.max(0, head.indexOf('\r\n')));
    if (!/^HTTP\/1\.[01] 2\d\d/.test(status)) return fail(new Error(`proxy: ${status}`));
    socket.off('data', onData);
    socket.off('error', fail);
    socket.off('timeout', onSilence);
    socket.pause();
    if (head.length > end + 4) socket.unshift(head.subarray(end + 4));
    resolve(socket);
  };
  socket.on('error', fail).on('timeout', onSilence).on('data', onData);
  socket.write(`CONNECT ${to.target} HTTP/1.1\r\nHost: ${to.target}\r\n\r\n`);
  return promise;
}

function secure(socket: Socket, hostname: string): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const tls = connectTls({ socket, servername: hostname, ALPNProtocols: ['http/1.1'] });
  tls.once('error', reject).once('secureConnect', () => {
    tls.off('error', reject);
    resolve(tls);
  });
  return promise;
}
