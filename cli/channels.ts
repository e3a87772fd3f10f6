import type { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { WebSocket } from 'ws';
import { CliError } from './cli-error.ts';
import { type ApiRequest, refusal, unreachable, urlOf } from './client.ts';
import type { Connection } from './kubeconfig.ts';

const closeChannel = 255;
const highWaterBytes = 1024 * 1024;

/**
 * A WebSocket with Kubernetes' subprotocol v5.channel.k8s.io: each message's first byte is its channel; 255 ends one.
 * Resolves when the server has agreed. Throws StatusError for what it refuses, CliError otherwise.
 */
export async function openChannels(connection: Connection, request: ApiRequest) {
  const url = urlOf(connection, request);
  url.protocol = 'wss:';
  const { tls, headers } = connection;
  // A list is a header several times; the types of ws don't say so.
  const options = { ...tls, perMessageDeflate: false, headers: headers as Record<string, string> };
  const socket = new WebSocket(url, ['v5.channel.k8s.io'], options);
  const send = (message: Buffer, sent: () => void) => socket.send(message, () => sent());
  const channels = new Map<number, Duplex>();
  /**
   * What is written to it goes out on this channel; its end half-closes that. Takes all, to no effect, once closed. What
   * is read of it are messages; as long as any channel has too many of them, none is received.
   */
  const channel = (number: number): Duplex =>
    channels.getOrInsertComputed(number, () => {
      const read = () => socket.resume();
      const write = (chunk: Buffer, _: BufferEncoding, sent: () => void) =>
        send(Buffer.concat([Buffer.of(number), chunk]), sent);
      const final = (sent: () => void) => send(Buffer.of(closeChannel, number), sent);
      const limits = { readableObjectMode: true, writableHighWaterMark: highWaterBytes };
      return new Duplex({ ...limits, read, write, final });
    });
  // As ws gives them unless told otherwise.
  socket.on('message', (message: Buffer) => {
    const isRoomLeft = channel(message[0] ?? closeChannel).push(message.subarray(1));
    if (!isRoomLeft) socket.pause();
  });
  const closed = new Promise<CliError | undefined>((resolve) => {
    socket.on('error', (cause) => resolve(new CliError('the connection broke', { cause })));
    socket.on('close', () => resolve(undefined));
  });
  socket.on('close', () => channels.forEach((one) => void one.push(null)));
  await opened(socket, connection);
  /** `closed`, at its end: why it broke off, if it did. `close`: at once. */
  return { channel, closed, close: () => socket.terminate() };
}

const opened = (socket: WebSocket, connection: Connection): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', (error) => reject(unreachable(connection, error)));
    socket.once('unexpected-response', (_, response: IncomingMessage) => {
      text(response).then((body) => reject(refusal(response.statusCode ?? 0, body)), reject);
    });
  });
