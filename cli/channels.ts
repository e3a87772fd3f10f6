import type { IncomingMessage } from 'node:http';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type RawData, WebSocket } from 'ws';
import { CliError } from './cli-error.ts';
import { type ApiRequest, refusal, unreachable, urlOf } from './client.ts';
import type { Connection } from './kubeconfig.ts';

/** A WebSocket with Kubernetes' subprotocol v5.channel.k8s.io: each message's first byte is its channel; 255 ends one. */
export interface Channels {
  /** What is written to it goes out on this channel; its end half-closes that. Takes all, to no effect, once closed. */
  input(channel: number): Writable;
  /** Back-pressure on what is received. */
  pause(): void;
  resume(): void;
  /** At its end: why it broke off, if it did. */
  readonly closed: Promise<CliError | undefined>;
  /** At once. */
  close(): void;
}

const closeChannel = 255;
const highWaterBytes = 1024 * 1024;

/** Resolves when the server has agreed. Throws StatusError for what it refuses, CliError otherwise. */
export async function openChannels(
  connection: Connection,
  request: ApiRequest,
  onMessage: (channel: number, payload: Buffer) => void,
): Promise<Channels> {
  const url = urlOf(connection, request);
  url.protocol = url.protocol === 'http:' ? 'ws:' : 'wss:';
  const socket = new WebSocket(url, ['v5.channel.k8s.io'], {
    ...connection.tls,
    perMessageDeflate: false,
    headers: connection.headers,
  });
  socket.on('message', (raw) => {
    const message = bytesOf(raw);
    onMessage(message[0] ?? closeChannel, message.subarray(1));
  });
  const closed = new Promise<CliError | undefined>((resolve) => {
    socket.on('error', (cause) => resolve(new CliError('the connection broke', { cause })));
    socket.on('close', () => resolve(undefined));
  });
  await opened(socket, connection);
  const send = (message: Buffer, sent: () => void) => socket.send(message, () => sent());
  return {
    input: (channel) =>
      new Writable({
        highWaterMark: highWaterBytes,
        write: (chunk: Buffer, _, sent) => send(Buffer.concat([Buffer.of(channel), chunk]), sent),
        final: (sent) => send(Buffer.of(closeChannel, channel), sent),
      }),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    closed,
    close: () => socket.terminate(),
  };
}

function opened(socket: WebSocket, connection: Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', (error) => reject(unreachable(connection, error)));
    socket.once('unexpected-response', (_, response: IncomingMessage) => {
      text(response).then((body) => reject(refusal(response.statusCode ?? 0, body)), reject);
    });
  });
}

function bytesOf(message: RawData): Buffer {
  if (Buffer.isBuffer(message)) return message;
  return Array.isArray(message) ? Buffer.concat(message) : Buffer.from(message);
}
