import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { serveJson } from './json-child.ts';

/** Servers of different manners on 127.0.0.1, in whatever network namespace this process was started. */
const open = new Set<Socket>();

serveJson({
  /** Their ports by what they do. */
  serve: async () => ({
    echo: await listen((socket) => socket.pipe(socket)),
    count: await listen((socket) => {
      socket.resume().on('end', () => socket.end(String(socket.bytesRead)));
    }),
    bye: await listen((socket) => socket.end('bye')),
    flood: await listen((socket) => {
      const chunk = Buffer.alloc(65_536);
      const pour = () => {
        while (socket.writable && socket.write(chunk));
      };
      socket.on('drain', pour);
      pour();
    }),
  }),
  connections: () => open.size,
});

async function listen(serve: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => open.delete(socket));
    serve(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}
