import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import type { Base } from '../../base/base.ts';
import { parseResolvConf } from '../../base/resolv-conf.ts';
import type { Netlink } from '../kernel/netlink.ts';
import { ensureAddress, removeAddress } from '../kernel/rtnetlink.ts';
import type { NetworkTable } from '../ports.ts';
import { dnsForwarder } from './dns-forward.ts';
import { frameDns, unframeDns } from './dns-framing.ts';
import { replyToDns } from './dns-message.ts';
import { type DnsZone, dnsZone } from './dns-zone.ts';

export interface DnsServerOptions extends Base {
  readonly netlink: Netlink;
  /** Path of the node's resolv.conf; read again with each table. */
  readonly resolvConf: string;
}

/** The node's DNS: every node answers at the same address, which is its own (on `lo`) and so never leaves it. */
export function dnsServer(options: DnsServerOptions) {
  let zone: DnsZone | undefined;
  /** The node's own, for names that aren't the cluster's. */
  let servers: readonly string[] = [];
  let listening: Awaited<ReturnType<typeof listen>> | undefined;

  const askNode = dnsForwarder(options);
  const reply: Reply = async (message, transport) => {
    if (!zone) return undefined;
    const ask = (asked: Buffer) => askNode({ message: asked, servers, transport });
    const forward = servers.length > 0 ? ask : undefined;
    return replyToDns(message, { zone, rng: options.rng, transport, forward });
  };
  const move = async (address: string) => {
    const before = listening;
    listening = undefined;
    await before?.close();
    if (before) removeAddress(options.netlink, onLoopback(before.address));
    ensureAddress(options.netlink, onLoopback(address), 'host');
    listening = await listen(address, reply, options);
  };
  return {
    /** Answers from this table from now on. */
    async serve(table: NetworkTable): Promise<void> {
      zone = dnsZone(table);
      servers = await nodeServers(options.resolvConf, table);
      if (listening?.address !== table.dnsServiceIp) await move(table.dnsServiceIp);
    },
    async close(): Promise<void> {
      await listening?.close();
      listening = undefined;
    },
  };
}

/** None without the file; never this server itself. */
async function nodeServers(path: string, table: NetworkTable): Promise<readonly string[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return parseResolvConf(text).nameservers.filter((server) => server !== table.dnsServiceIp);
}

/** Index 1 is `lo` in every network namespace. */
const onLoopback = (address: string) => ({ linkIndex: 1, address, prefix: 32 });
const dnsPort = 53;
const tcpIdleMs = 10_000;
const maxTcpConnections = 256;

type Reply = (message: Buffer, transport: 'udp' | 'tcp') => Promise<Buffer | undefined>;

/** What can't listen is closed: the caller tries again with new ones. */
async function listen(address: string, reply: Reply, options: DnsServerOptions) {
  await using opened = new AsyncDisposableStack();
  const connections = new Set<Socket>();
  const serve = (socket: Socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
    serveConnection(socket, reply, options);
  };
  await listenUdp(opened.use(createSocket('udp4')), { address, reply, ...options });
  await listenTcp(opened.use(createServer(serve)), { address, ...options });
  opened.defer(() => {
    for (const socket of connections) socket.destroy();
  });
  const kept = opened.move();
  return { address, close: () => kept.disposeAsync() };
}

async function listenUdp(
  socket: UdpSocket,
  {
    address,
    reply,
    log,
  }: { readonly address: string; readonly reply: Reply; readonly log: Base['log'] },
): Promise<void> {
  const answer = async (message: Buffer, client: RemoteInfo) => {
    try {
      const bytes = await reply(message, 'udp');
      // Throws to port 0, from which any pod with NET_RAW can send, and once the socket is closed.
      if (bytes) await send(socket, bytes, client);
    } catch (err) {
      log.debug({ err, address: client.address }, 'a DNS reply was not sent');
    }
  };
  socket.on('message', (message, client) => void answer(message, client));
  socket.bind({ address, port: dnsPort });
  await once(socket, 'listening');
  socket.on('error', (err) => log.warn({ err, address }, 'the DNS socket failed'));
}

const send = (socket: UdpSocket, bytes: Buffer, { port, address }: RemoteInfo): Promise<void> =>
  new Promise((resolve, reject) =>
    socket.send(bytes, port, address, (error) => (error ? reject(error) : resolve())),
  );

async function listenTcp(
  server: Server,
  { address, log }: { readonly address: string; readonly log: Base['log'] },
): Promise<void> {
  server.maxConnections = maxTcpConnections;
  server.listen({ host: address, port: dnsPort });
  await once(server, 'listening');
  server.on('error', (err) => log.warn({ err, address }, 'a DNS connection was not accepted'));
}

/** One message after the other. Who doesn't take the replies, or waits for one, is read no further. */
function serveConnection(socket: Socket, reply: Reply, { clock, log }: DnsServerOptions): void {
  let buffered: Buffer = Buffer.alloc(0);
  let cancel = clock.after(tcpIdleMs, () => socket.destroy());
  const answerAll = async () => {
    socket.pause();
    while (!socket.writableNeedDrain) {
      const next = unframeDns(buffered);
      if (!next) return void socket.resume();
      buffered = next.rest;
      const bytes = await reply(next.message, 'tcp');
      if (!bytes || socket.destroyed) return void socket.destroy();
      socket.write(frameDns(bytes));
      cancel();
      cancel = clock.after(tcpIdleMs, () => socket.destroy());
    }
    socket.once('drain', go);
  };
  const go = () =>
    void answerAll().catch((err) => {
      log.debug({ err }, 'a DNS message was not answered');
      socket.destroy();
    });
  socket.on('data', (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    go();
  });
  // A client that goes away in the middle is no one's concern: its connection is closed, and 'close' follows.
  socket.on('error', () => socket.destroy());
  socket.on('close', () => cancel());
}
