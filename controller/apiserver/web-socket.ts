import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import type { Upgrade } from './exec-session.ts';

/**
 * Each binary message begins with its channel. Exec: 0 stdin, 1 stdout, 2 stderr, 3 the final Status, 4 resize.
 * Forwarded ports: 2n the data of the nth, 2n+1 its error. In v5 also 255 n: channel n is closed.
 */
export const channelProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
/** Binary messages carry the bytes of a SPDY connection, one behind the other. */
export const tunnelProtocol = 'SPDY/3.1+portforward.k8s.io';
export const forwardProtocols = [tunnelProtocol, ...channelProtocols];
export const closeChannel = 255;

export function offersOneOf(offered: string | undefined, protocols: readonly string[]): boolean {
  const names = (offered ?? '').split(',').map((name) => name.trim());
  return protocols.some((name) => names.includes(name));
}

/** The upgraded connection; nothing is read from it yet. That it offers a protocol of ours is checked before. */
export const acceptWebSocket = ({ request, socket, head }: Upgrade): Promise<WebSocket> =>
  new Promise((resolve) => {
    server.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => client.terminate());
      client.pause();
      resolve(client);
    });
  });

const server = new WebSocketServer({
  noServer: true,
  perMessageDeflate: false,
  maxPayload: 16 * 1024 * 1024,
  handleProtocols: (offered) => forwardProtocols.find((name) => offered.has(name)) ?? false,
});

/** Above it whoever sends waits; when all is written it goes on. */
const highWaterBytes = 1024 * 1024;

export function channelsOf(client: WebSocket) {
  let onDrain = () => {};
  return {
    /** False: taken, but wait for `onDrain`. */
    send(to: number, chunk: Uint8Array): boolean {
      client.send(Buffer.concat([Buffer.of(to), chunk]), () => {
        if (client.bufferedAmount === 0) onDrain();
      });
      return client.bufferedAmount < highWaterBytes;
    },
    onDrain(listener: () => void): void {
      onDrain = listener;
    },
  };
}

/** Messages from now on, and the end. */
export function readChannels(
  client: WebSocket,
  on: { message(channel: number, payload: Buffer): void; closed(): void },
): void {
  client.on('message', (raw) => {
    const message = bytesOf(raw);
    if (message.length > 0) on.message(message.readUInt8(0), message.subarray(1));
  });
  client.on('close', on.closed);
  if (client.readyState === client.CLOSED) on.closed();
  client.resume();
}

function bytesOf(message: RawData): Buffer {
  if (Buffer.isBuffer(message)) return message;
  return Array.isArray(message) ? Buffer.concat(message) : Buffer.from(message);
}
