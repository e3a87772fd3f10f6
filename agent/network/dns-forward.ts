import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import type { Rng } from '../../base/rng.ts';
import { frameDns, unframeDns } from './dns-framing.ts';

interface ForwardRequest {
  readonly message: Buffer;
  /** Asked one after the other, as far as the client's patience goes. */
  readonly servers: readonly string[];
  readonly transport: 'udp' | 'tcp';
}

/**
 * Hands messages on as they are, EDNS and all, and replies too: one that was cut over UDP has the client come again
 * over TCP, and its server is asked over TCP then. Each query has a random id and a socket, that is a random port, of
 * its own: who isn't on the way can't guess a reply (RFC 5452).
 */
export function dnsForwarder({ clock, rng }: { clock: Clock; rng: Rng }) {
  let outstanding = 0;
  /** Gives the first reply, with the message's own id; undefined: no server gave one, or too many are being asked. */
  return async ({ message, servers, transport }: ForwardRequest): Promise<Buffer | undefined> => {
    if (outstanding === maxOutstanding) return undefined;
    const ask = transport === 'udp' ? askUdp : askTcp;
    const query = withId(message, rng.bytes(2));
    outstanding++;
    try {
      for (const server of servers.slice(0, maxServers)) {
        const reply = await ask(server, query, clock);
        if (reply && isReplyTo(query, reply)) return withId(reply, message);
      }
      return undefined;
    } finally {
      outstanding--;
    }
  };
}

/** Also what ends a loop, should one of the node's servers forward to this one. */
const maxOutstanding = 256;
/** As many as the C library asks; together they take less than the 5 s after which it asks again. */
const maxServers = 3;
const timeoutMs = 1500;
const dnsPort = 53;
const questionStart = 12;

function withId(message: Buffer, id: Buffer): Buffer {
  const copy = Buffer.from(message);
  id.copy(copy, 0, 0, 2);
  return copy;
}

const askUdp = (server: string, query: Buffer, clock: Clock): Promise<Buffer | undefined> =>
  new Promise((resolve) => {
    const socket = createSocket(isIPv6(server) ? 'udp6' : 'udp4');
    const end = (reply?: Buffer) => {
      cancel();
      socket.removeAllListeners().on('error', () => undefined);
      socket.close();
      resolve(reply);
    };
    const cancel = clock.after(timeoutMs, () => end());
    socket.once('error', () => end());
    socket.on('message', (reply) => {
      if (isReplyTo(query, reply)) end(reply);
    });
    // Connected, it takes in what comes from there alone, and hears of a port that is closed.
    socket.once('connect', () => socket.send(query));
    socket.connect(dnsPort, server);
  });

const askTcp = (server: string, query: Buffer, clock: Clock): Promise<Buffer | undefined> =>
  new Promise((resolve) => {
    const socket = connect({ host: server, port: dnsPort });
    let received: Buffer = Buffer.alloc(0);
    const end = (reply?: Buffer) => {
      cancel();
      socket.destroy();
      resolve(reply);
    };
    const cancel = clock.after(timeoutMs, () => end());
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const first = unframeDns(received);
      if (first) end(first.message);
    });
    socket.on('error', () => end());
    socket.on('close', () => end());
    socket.write(frameDns(query));
  });

function isReplyTo(query: Buffer, reply: Buffer): boolean {
  const question = questionOf(query);
  const isReply = reply.length > questionStart && ((reply[2] ?? 0) & 0x80) !== 0;
  return (
    isReply && reply.subarray(0, 2).equals(query.subarray(0, 2)) && questionOf(reply) === question
  );
}

/** The first question, in lower case; it begins behind the header, and names in it aren't compressed. */
function questionOf(message: Buffer): string {
  let at = questionStart;
  for (let length = message[at]; length; length = message[at]) at += 1 + length;
  return message.toString('latin1', questionStart, at + 5).toLowerCase();
}
