import koffi from 'koffi';

/**
 * AF_NETLINK sockets through libc. Every function answers like the system call in the kernel: a
 * value of at least 0, or -errno. A socket belongs for good to the network namespace in which it was opened.
 */
export function openNetlinkSocket(protocol: number): number {
  return checked(libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
}

/** Binds to an address of the kernel's choice: netlink's "autobind". */
export function bindNetlinkSocket(fd: number): number {
  const address = Buffer.alloc(12);
  address.writeUInt16LE(AF_NETLINK, 0);
  return checked(libc.bind(fd, address, address.length));
}

/** setsockopt(SOL_NETLINK, option, 1) */
export function enableNetlinkOption(fd: number, option: number): number {
  const on = Buffer.alloc(4);
  on.writeUInt32LE(1, 0);
  return checked(libc.setsockopt(fd, SOL_NETLINK, option, on, on.length));
}

/** The kernel carries the request out inside this call. */
export function sendNetlink(fd: number, message: Buffer): number {
  return checked(Number(libc.send(fd, message, message.length, 0)));
}

/** As {@link sendNetlink}, on a thread of the pool: for requests that take milliseconds. */
export function sendNetlinkAside(fd: number, message: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    libc.send.async(fd, message, message.length, 0, (error: unknown, sent: number | bigint) => {
      if (error) reject(error);
      else resolve(checked(Number(sent)));
    });
  });
}

/** The number of bytes written to `buffer`; answers are waiting when a send has returned. */
export function receiveNetlink(fd: number, buffer: Buffer): number {
  return checked(Number(libc.recv(fd, buffer, buffer.length, MSG_DONTWAIT)));
}

export function closeNetlinkSocket(fd: number): void {
  libc.close(fd);
}

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_NETLINK = 270;
const MSG_DONTWAIT = 0x40;

const library = koffi.load('libc.so.6');
const libc = {
  socket: library.func('int socket(int domain, int type, int protocol)'),
  bind: library.func('int bind(int fd, const void *address, uint32_t length)'),
  setsockopt: library.func(
    'int setsockopt(int fd, int level, int name, const void *value, uint32_t length)',
  ),
  send: library.func('int64_t send(int fd, const void *bytes, size_t length, int flags)'),
  recv: library.func('int64_t recv(int fd, void *bytes, size_t length, int flags)'),
  close: library.func('int close(int fd)'),
} as const;

function checked(result: number): number {
  return result < 0 ? -koffi.errno() : result;
}
