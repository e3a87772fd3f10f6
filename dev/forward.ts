import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';

/** Listens at a port and joins each connection to the first of these unix sockets that somebody listens at. */
export async function forwardPort(port: number, sockets: readonly string[], address = '127.0.0.1') {
  const server = createServer({ allowHalfOpen: true }, (inside) => joinToFirst(inside, sockets));
  await once(server.listen(port, address), 'listening');
  return server;
}

function joinToFirst(inside: Socket, [path, ...others]: readonly string[]): void {
  if (path === undefined) {
    inside.destroy();
    return;
  }
  const outside = connect({ path, allowHalfOpen: true });
  const next = () => joinToFirst(inside, others);
  outside.once('error', next);
  outside.once('connect', () => {
    outside.off('error', next);
    join(inside, outside);
  });
}

/** Until both have ended; when one breaks off, so does the other. */
export function join(a: Socket, b: Socket): void {
  pipeline(a, b, a).catch(() => undefined);
}

/**
 * An HTTP CONNECT proxy on a unix socket (RFC 9110 9.3.6), outside of the hosts' networks: their way to the registries
 * of the internet, since no interface or rule leads there. Agents only; pods' traffic doesn't go through it.
 */
export async function serveEgressProxy(socketPath: string): Promise<Server> {
  const server = createHttpServer((_request, response) => {
    response.writeHead(405).end('only CONNECT\n');
  });
  server.on('connect', (request, inside: Socket, head: Buffer) => {
    const [, host, port] = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(request.url ?? '') ?? [];
    if (!host) return void inside.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    const outside = connect({ host: host.replace(/[[\]]/g, ''), port: Number(port) });
    outside.once('connect', () => {
      inside.write('HTTP/1.1 200 Connection established\r\n\r\n');
      outside.write(head);
      join(inside, outside);
    });
    outside.once('error', (error) => inside.end(`HTTP/1.1 502 ${error.message}\r\n\r\n`));
    inside.on('error', () => outside.destroy());
  });
  await once(server.listen(socketPath), 'listening');
  return server;
}
