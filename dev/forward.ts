import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Listens at 127.0.0.1:PORT and joins each connection to a unix socket: the controller's, in another network. */
export async function forwardPort(port: number, socketPath: string): Promise<Server> {
  const server = createServer((inside) => join(inside, connect(socketPath)));
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

export function join(a: Socket, b: Socket): void {
  a.pipe(b);
  b.pipe(a);
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
}
