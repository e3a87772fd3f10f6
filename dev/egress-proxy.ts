import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from './forward.ts';

/**
 * An HTTP CONNECT proxy on a unix socket (RFC 9110 9.3.6), outside of the hosts' networks: their way to the registries
 * of the internet, since no interface or rule leads there. Agents only; pods' traffic doesn't go through it.
 */
export async function serveEgressProxy(socketPath: string): Promise<Server> {
  const server = createServer((_request, response) => {
    response.writeHead(405).end('only CONNECT\n');
  });
  server.on('connect', (request, inside: Socket, head: Buffer) => {
    const target = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(request.url ?? '');
    if (!target) return void inside.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    const outside = connect({
      host: (target[1] ?? '').replace(/[[\]]/g, ''),
      port: Number(target[2]),
    });
    outside.once('connect', () => {
      inside.write('HTTP/1.1 200 Connection established\r\n\r\n');
      outside.write(head);
      join(inside, outside);
    });
    outside.once('error', (error) => inside.end(`HTTP/1.1 502 ${error.message}\r\n\r\n`));
    inside.on('error', () => outside.destroy());
  });
  server.listen(socketPath);
  await once(server, 'listening');
  return server;
}
