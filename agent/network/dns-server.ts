import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Rng } from '../../base/rng.ts';
import type { Netlink } from '../kernel/netlink.ts';
import { ensureAddress, removeAddress } from '../kernel/rtnetlink.ts';
import type { NetworkTable } from '../ports.ts';
import { replyToDns } from './dns-message.ts';
import { type DnsZone, dnsZone } from './dns-zone.ts';

/** The node's DNS: every node answers at the same address, which is its own (on `lo`) and so never leaves it. */
export interface DnsServer {
  /** Answers from this table from now on. */
  serve(table: NetworkTable): Promise<void>;
  close(): Promise<void>;
}

export interface DnsServerOptions {
  readonly netlink: Netlink;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Log;
}

export function dnsServer(options: DnsServerOptions): DnsServer {
  let zone: DnsZone | undefined;
  let listening: Listening | undefined;

  const reply = (message: Buffer, transport: 'udp' | 'tcp') =>
    zone && replyToDns(message, { zone, rng: options.rng, transport });
  const move = async (address: string) => {
    const before = listening;
    listening = undefined;
    await before?.close();
    if (before) removeAddress(options.netlink, onLoopback(before.address));
    ensureAddress(options.netlink, onLoopback(address), 'host');
    listening = await listen(address, reply, options);
  };
  return {
    async serve(table) {
      zone = dnsZone(table);
      if (listening?.address !== table.dnsServiceIp) await move(table.dnsServiceIp);
    },
    async close() {
      await listening?.close();
      listening = undefined;
    },
  };
}

/** Index 1 is `lo` in every network namespace. */
const onLoopback = (address: string) => ({ linkIndex: 1, address, prefix: 32 });
const dnsPort = 53;
const tcpIdleMs = 10_000;
const maxTcpConnections = 256;

interface Listening {
  readonly address: string;
  close(): Promise<void>;
}

type Reply = (message: Buffer, transport: 'udp' | 'tcp') => Buffer | undefined;

async function listen(address: string, reply: Reply, options: DnsServerOptions) {
  const udp = await listenUdp(address, reply, options.log);
  try {
    const connections = new Set<Socket>();
    const serve = (socket: Socket) => {
      connections.add(socket);
      socket.on('close', () => connections.delete(socket));
      serveConnection(socket, reply, options.clock);
    };
    const tcp = await listenTcp(address, serve, options.log);
    const close = async () => {
      for (const socket of connections) socket.destroy();
      await Promise.all([closed(udp), closed(tcp)]);
    };
    return { address, close };
  } catch (error) {
    udp.close();
    throw error;
  }
}

async function listenUdp(address: string, reply: Reply, log: Log): Promise<UdpSocket> {
  const socket = createSocket('udp4');
  socket.on('message', (message, client) => {
    // Any pod with NET_RAW can send from port 0, to which `send` would throw.
    const bytes = client.port === 0 ? undefined : reply(message, 'udp');
    if (!bytes) return;
    socket.send(bytes, client.port, client.address, (err) => {
      if (err) log.debug({ err, address: client.address }, 'a DNS reply was not sent');
    });
  });
  socket.bind({ address, port: dnsPort });
  await listening(socket);
  socket.on('error', (err) => log.warn({ err, address }, 'the DNS socket failed'));
  return socket;
}

async function listenTcp(
  address: string,
  serve: (socket: Socket) => void,
  log: Log,
): Promise<Server> {
  const server = createServer(serve);
  server.maxConnections = maxTcpConnections;
  server.listen({ host: address, port: dnsPort });
  await listening(server);
  server.on('error', (err) => log.warn({ err, address }, 'a DNS connection was not accepted'));
  return server;
}

/** What can't listen is closed: its caller tries again with a new one. */
async function listening(socket: UdpSocket | Server): Promise<void> {
  try {
    await once(socket, 'listening');
  } catch (error) {
    socket.close();
    throw error;
  }
}

/**
 * Messages follow one another, each behind its length in two bytes. Who doesn't take the replies is
 * read no further.
 */
function serveConnection(socket: Socket, reply: Reply, clock: Clock): void {
  let buffered: Buffer = Buffer.alloc(0);
  let cancel = clock.after(tcpIdleMs, () => socket.destroy());
  const next = (): Buffer | undefined => {
    if (buffered.length < 2) return undefined;
    const end = 2 + buffered.readUInt16BE(0);
    if (buffered.length < end) return undefined;
    const message = buffered.subarray(2, end);
    buffered = buffered.subarray(end);
    return message;
  };
  const answerAll = () => {
    while (!socket.writableNeedDrain) {
      const message = next();
      if (!message) return void socket.resume();
      const bytes = reply(message, 'tcp');
      if (!bytes) return void socket.destroy();
      socket.write(framed(bytes));
      cancel();
      cancel = clock.after(tcpIdleMs, () => socket.destroy());
    }
    socket.pause();
  };
  socket.on('data', (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    answerAll();
  });
  socket.on('drain', answerAll);
  // A client that goes away in the middle is no one's concern: its connection is closed, and 'close' follows.
  socket.on('error', () => socket.destroy());
  socket.on('close', () => cancel());
}

function framed(bytes: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length, 0);
  return Buffer.concat([length, bytes]);
}

function closed(closing: { close(callback: () => void): unknown }): Promise<void> {
  return new Promise((resolve) => void closing.close(() => resolve()));
}
