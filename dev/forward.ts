import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';

/** Listens at a port and joins each connection to the first of these unix sockets that somebody listens at. */
export async function forwardPort(port: number, sockets: readonly string[], address = '127.0.0.1') {
  const server = createServer({ allowHalfOpen: true }, (inside) => joinToFirst(inside, sockets));
  server.listen(port, address);
  await once(server, 'listening');
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
