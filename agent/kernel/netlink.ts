import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import * as socket from '../../native/netlink-socket.ts';
import * as codec from './netlink-codec.ts';

/** What to ask, and in words what for: the beginning of an error's text. */
interface NetlinkRequest {
  readonly type: number;
  /** Beyond NLM_F_REQUEST, and NLM_F_ACK or NLM_F_DUMP, which the calls set. */
  readonly flags?: number;
  readonly body: Buffer;
  readonly what: string;
}

/** One socket. The calls block for as long as the kernel needs: some 20 to 300 µs. Throws NetlinkError. */
export interface Netlink {
  /** Has the kernel do something, or tell one thing: the answers before its acknowledgement. */
  request(request: NetlinkRequest): readonly codec.NetlinkMessage[];
  dump(request: NetlinkRequest): readonly codec.NetlinkMessage[];
  /** As `request`, without blocking this thread. One at a time on one socket, and nothing else meanwhile. */
  requestAside(request: NetlinkRequest): Promise<void>;
  close(): void;
}

export class NetlinkError extends Error {
  override readonly name = 'NetlinkError';
  readonly errno: number;
  readonly what: string;

  constructor(what: string, errno: number, text?: string) {
    const explained = text ? `: ${text}` : '';
    super(`${what}: ${getSystemErrorName(-errno)} (${getSystemErrorMessage(-errno)})${explained}`);
    this.what = what;
    this.errno = errno;
  }
}

type Harmless = 'EEXIST' | 'ENOENT' | 'ENODEV' | 'ESRCH' | 'EADDRNOTAVAIL';

/** The answer, or undefined where the kernel says with `name` that there is nothing (left) to do. */
export function absent<T>(fn: () => T, name: Harmless): T | undefined {
  try {
    return fn();
  } catch (error) {
    return unlessError(name)(error);
  }
}

/** For a `catch`, as {@link absent}. */
export function unlessError(name: Harmless): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof NetlinkError && getSystemErrorName(-error.errno) === name)
      return undefined;
    throw error;
  };
}

/** For links, addresses and routes of the network namespace that this process is in now. */
export const openRouteNetlink = (): Netlink => openNetlink(NETLINK.ROUTE, (message) => message);

/** What `requests` would ask, as bytes: for the operation that asks it elsewhere. */
export function recordNetlink(requests: (netlink: Netlink) => void): Uint8Array {
  const messages: Buffer[] = [];
  const request = ({ type, flags = 0, body }: NetlinkRequest) => {
    const all = flags | codec.NLM_F.REQUEST | codec.NLM_F.ACK;
    messages.push(codec.encodeMessage({ type, flags: all, sequence: messages.length, body }));
    return [];
  };
  const nothing = () => Promise.resolve();
  requests({ request, dump: request, requestAside: nothing, close: () => undefined });
  return Buffer.concat(messages);
}

/** For nftables, each request as a transaction of its own. */
export const openNftablesNetlink = (): Netlink => openNetlink(NETLINK.NETFILTER, inBatch);

/** For connection tracking. */
export const openConntrackNetlink = () => openNetlink(NETLINK.NETFILTER, (message) => message);

function openNetlink(protocol: number, wrapped: (message: Buffer) => Buffer): Netlink {
  const fd = succeed('netlink socket', socket.openNetlinkSocket(protocol));
  succeed('netlink bind', socket.bindNetlinkSocket(fd));
  for (const option of Object.values(socketOptions))
    succeed('netlink setsockopt', socket.enableNetlinkOption(fd, option));
  const buffer = Buffer.alloc(receiveBytes);
  let sequence = 0;

  const encode = ({ type, flags = 0, body }: NetlinkRequest, kind: number) =>
    wrapped(
      codec.encodeMessage({
        type,
        flags: flags | codec.NLM_F.REQUEST | kind,
        sequence: ++sequence,
        body,
      }),
    );
  const answers = (what: string) => {
    const found: codec.NetlinkMessage[] = [];
    for (;;) {
      const size = succeed(what, socket.receiveNetlink(fd, buffer));
      for (const message of codec.decodeMessages(Buffer.from(buffer.subarray(0, size)))) {
        if (message.sequence !== sequence) continue;
        if (isEnd(message, what)) return found;
        found.push(message);
      }
    }
  };

  return {
    request(request) {
      succeed(request.what, socket.sendNetlink(fd, encode(request, codec.NLM_F.ACK)));
      return answers(request.what);
    },
    dump(request) {
      succeed(request.what, socket.sendNetlink(fd, encode(request, codec.NLM_F.DUMP)));
      return answers(request.what);
    },
    async requestAside(request) {
      succeed(request.what, await socket.sendNetlinkAside(fd, encode(request, codec.NLM_F.ACK)));
      answers(request.what);
    },
    close: () => socket.closeNetlinkSocket(fd),
  };
}

const NETLINK = { ROUTE: 0, NETFILTER: 12 };
const NFNL_MSG_BATCH = { BEGIN: 0x10, END: 0x11 };
const NFNL_SUBSYS_NFTABLES = 10;
/** The last makes the kernel heed a dump's filters, and refuse what it does not understand. */
const socketOptions = { CAP_ACK: 10, EXT_ACK: 11, GET_STRICT_CHK: 12 };
/** The kernel fills datagrams of a dump up to 32 KiB at most. */
const receiveBytes = 64 * 1024;

function inBatch(message: Buffer): Buffer {
  // struct nfgenmsg; the subsystem is in network byte order.
  const body = Buffer.from([0, 0, 0, NFNL_SUBSYS_NFTABLES]);
  const mark = (type: number) =>
    codec.encodeMessage({ type, flags: codec.NLM_F.REQUEST, sequence: 0, body });
  return Buffer.concat([mark(NFNL_MSG_BATCH.BEGIN), message, mark(NFNL_MSG_BATCH.END)]);
}

function isEnd(message: codec.NetlinkMessage, what: string): boolean {
  if (message.type === codec.NLMSG.DONE) return true;
  if (message.type !== codec.NLMSG.ERROR) return false;
  const { errno, text } = codec.decodeAcknowledgement(message);
  if (errno !== 0) throw new NetlinkError(what, errno, text);
  return true;
}

function succeed(what: string, result: number): number {
  if (result < 0) throw new NetlinkError(what, -result);
  return result;
}
