import { once } from 'node:events';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';

/**
 * HTTP/1.1 over TLS in as few steps as a client can take, so that what is measured is the server's: requests are bytes that
 * are there already, of answers only the head is read, and of a watch only where its lines end.
 */
export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly accept?: string;
  readonly gzip?: boolean;
  readonly body?: string;
}

export type Target = Readonly<{ port: number; tls: ConnectionOptions }>;

export type Answer = Readonly<{ head: string; body: Buffer }>;

export type RawClient = Awaited<ReturnType<typeof openClient>>;

/** One connection, on which one request follows the other. */
export async function openClient(target: Target) {
  const socket = await dial(target);
  let take: ((chunk: Buffer) => void) | undefined;
  socket.on('data', (chunk: Buffer) => take?.(chunk));
  const exchange = (wanted: RawRequest) =>
    new Promise<Answer>((resolve, reject) => {
      const fail = () => reject(new Error(`${wanted.path}: the connection was closed`));
      socket.once('close', fail);
      take = untilWhole((answer) => {
        socket.removeListener('close', fail);
        resolve(answer);
      });
      socket.write(bytesOf(wanted));
    });
  const send = async (wanted: RawRequest): Promise<Answer> => {
    const answer = await exchange(wanted);
    if (/^HTTP\/1.1 2/.test(answer.head)) return answer;
    throw new Error(
      `${wanted.method} ${wanted.path}: ${answer.head.split('\r\n')[0]}: ${String(answer.body)}`,
    );
  };
  return { send, close: () => socket.destroy() };
}

/** A watch on a connection of its own; `onLine` gets what comes with the end of a line in it. */
export async function openRawWatch(
  target: Target,
  { path, onLines }: { readonly path: string; readonly onLines: (chunk: Buffer) => void },
): Promise<() => void> {
  const socket = await dial(target);
  socket.on('data', (chunk: Buffer) => {
    if (chunk.includes('}\n')) onLines(chunk);
  });
  socket.write(bytesOf({ method: 'GET', path }));
  return () => socket.destroy();
}

async function dial({ port, tls }: Target): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ...tls });
  await once(socket, 'secureConnect');
  return socket.setNoDelay();
}

function bytesOf({ method, path, accept = 'application/json', gzip, body }: RawRequest): string {
  const head = [
    `${method} ${path} HTTP/1.1`,
    'Host: localhost',
    `Accept: ${accept}`,
    ...(gzip ? ['Accept-Encoding: gzip'] : []),
    ...(body === undefined
      ? []
      : ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`]),
  ];
  return `${head.join('\r\n')}\r\n\r\n${body ?? ''}`;
}

function untilWhole(done: (answer: Answer) => void): (chunk: Buffer) => void {
  const body: Buffer[] = [];
  let head = '';
  let missing = 0;
  return (chunk) => {
    let part = chunk;
    if (head === '') {
      const end = chunk.indexOf('\r\n\r\n');
      if (end < 0) throw new Error('a head in several parts');
      head = chunk.toString('latin1', 0, end);
      missing = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      part = chunk.subarray(end + 4);
    }
    body.push(part);
    missing -= part.length;
    if (missing <= 0) done({ head, body: Buffer.concat(body) });
  };
}
