import { createSocket } from 'node:dgram';
import { promises as dns } from 'node:dns';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { decode, encode } from 'dns-packet';
import { frameDns } from '../../agent/network/dns-framing.ts';
import { serveJson } from './json-child.ts';

/** One end of connections, in whatever network namespace this process was started. Driven by the test over JSON. */
const held = new Map<string, Socket>();

serveJson({
  serveTcp: ({ port, name }: { port: number; name: string }) =>
    new Promise<void>((resolve) => {
      const server = createServer((socket) => {
        socket.write(`${JSON.stringify({ name, client: socket.remoteAddress })}\n`);
        socket.on('error', () => socket.destroy());
        socket.pipe(socket);
      });
      server.listen(port, '0.0.0.0', () => resolve());
    }),
  serveUdp: ({ port, name }: { port: number; name: string }) =>
    new Promise<void>((resolve) => {
      const socket = createSocket('udp4');
      socket.on('message', (_, { address, port: to }) => {
        socket.send(`${JSON.stringify({ name, client: address })}\n`, to, address);
      });
      socket.bind(port, '0.0.0.0', () => resolve());
    }),
  /** A DNS server that knows these addresses and nothing else; over UDP it cuts what begins with "long". */
  serveDns: (known: Readonly<Record<string, readonly string[]>>) => {
    const reply = (message: Buffer, transport: 'udp' | 'tcp') => {
      const query = decode(message);
      const [{ name, type } = { name: '', type: 'A' }] = query.questions ?? [];
      const addresses = type === 'A' ? known[name.toLowerCase()] : undefined;
      const isCut = transport === 'udp' && name.startsWith('long');
      const data = isCut ? [] : (addresses ?? []);
      const answers = data.map((ip) => ({ name, type: 'A' as const, ttl: 60, data: ip }));
      const flags = (isCut ? 0x200 : 0) | (addresses ? 0 : 3);
      return encode({ ...query, type: 'response', flags, answers });
    };
    const udp = createSocket('udp4');
    udp.on('message', (message, { address, port }) =>
      udp.send(reply(message, 'udp'), port, address),
    );
    const tcp = createServer((socket) => {
      socket.on('data', (chunk: Buffer) => socket.write(frameDns(reply(chunk.subarray(2), 'tcp'))));
      socket.on('error', () => socket.destroy());
    });
    udp.bind(53, '0.0.0.0');
    tcp.listen(53, '0.0.0.0');
    return Promise.all([once(udp, 'listening'), once(tcp, 'listening')]).then(() => undefined);
  },
  /** What the server said first; or the error's code, and how long it took to come. */
  connect: async (to: Target) => {
    const startedAt = performance.now();
    try {
      const { socket, hello } = await connectTcp(to);
      socket.destroy();
      return hello;
    } catch (error) {
      return { error: code(error), ms: performance.now() - startedAt };
    }
  },
  /** From `sourcePort` if that is given, else from any. */
  udp: ({ sourcePort, ...to }: Target & { sourcePort?: number }) =>
    new Promise((resolve) => {
      const socket = createSocket('udp4');
      if (sourcePort !== undefined) socket.bind(sourcePort);
      const done = (answer: object) => {
        clearTimeout(timer);
        socket.close();
        resolve(answer);
      };
      const timer = setTimeout(() => done({ error: 'TIMEOUT' }), to.timeoutMs ?? 2_000);
      socket.on('message', (message) => done(JSON.parse(message.toString()) as object));
      socket.on('error', (error) => done({ error: code(error) }));
      socket.connect(to.port, to.ip, () => socket.send('?'));
    }),
  /** Opens a connection that stays. */
  hold: async ({ key, ...to }: Target & { key: string }) => {
    const { socket, hello } = await connectTcp(to);
    held.set(key, socket);
    return hello;
  },
  /** Sends over a held connection, and answers what came back. */
  echo: ({ key, text }: { key: string; text: string }) =>
    new Promise((resolve, reject) => {
      const socket = held.get(key);
      if (!socket) return reject(new Error(`no connection ${key}`));
      const timer = setTimeout(() => reject(new Error('no echo')), 2_000);
      socket.once('data', (chunk) => {
        clearTimeout(timer);
        resolve(chunk.toString());
      });
      socket.write(text);
    }),
  resolve: async ({ server, name, type, timeoutMs }: DnsQuery) => {
    const resolver = new dns.Resolver({ timeout: timeoutMs ?? 2_000, tries: 1 });
    resolver.setServers([server]);
    try {
      return await resolver.resolve(name, type as 'A');
    } catch (error) {
      return { error: code(error) };
    }
  },
});

interface DnsQuery {
  readonly server: string;
  readonly name: string;
  readonly type: string;
  readonly timeoutMs?: number;
}

interface Target {
  readonly ip: string;
  readonly port: number;
  readonly source?: string;
  readonly timeoutMs?: number;
}

function connectTcp({ ip, port, source, timeoutMs = 2_000 }: Target) {
  return new Promise<{ socket: Socket; hello: unknown }>((resolve, reject) => {
    const from = source === undefined ? {} : { localAddress: source };
    const socket = connect({ host: ip, port, ...from });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(Object.assign(new Error('no answer'), { code: 'TIMEOUT' }));
    }, timeoutMs);
    socket.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.once('data', (chunk) => {
      clearTimeout(timer);
      resolve({ socket, hello: JSON.parse(chunk.toString()) });
    });
  });
}

function code(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
