import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP relay on loopback: the link that fails. */
export interface CuttableRelay {
  readonly port: number;
  /** Connections break, and new ones are refused. */
  cut(): Promise<void>;
  /** Nothing goes through any more, and nobody is told. */
  freeze(): void;
  /** As before; what was frozen goes on. */
  restore(): Promise<void>;
  stop(): Promise<void>;
}

export async function startRelay(targetPort: number): Promise<CuttableRelay> {
  const sockets = new Set<Socket>();
  let frozen = false;
  const accept = (near: Socket) => {
    const far = connect(targetPort, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      if (frozen) from.pause();
      from.on('data', (chunk) => void to.write(chunk));
      if (frozen) from.pause();
      from.on('error', () => undefined);
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  };
  let server = createServer(accept);
  const listen = async (port: number) => {
    server = createServer(accept).listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const port = await listen(0);
  const cut = async () => {
    const closed = closeServer(server);
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return {
    port,
    cut,
    freeze() {
      frozen = true;
      for (const socket of sockets) socket.pause();
    },
    async restore() {
      frozen = false;
      for (const socket of sockets) socket.resume();
      if (!server.listening) await listen(port);
    },
    stop: cut,
  };
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  server.close();
  await once(server, 'close');
}
