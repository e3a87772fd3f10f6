import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { type ExecTransport, parseResize } from './exec-session.ts';

/**
 * Exec over a WebSocket, subprotocols v5.channel.k8s.io and v4.channel.k8s.io. Each binary message begins with its
 * channel: 0 stdin, 1 stdout, 2 stderr, 3 the final Status, 4 resize; in v5 also 255 n: channel n is closed.
 */
export function openExecWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<ExecTransport> {
  return new Promise((resolve) => {
    server.handleUpgrade(request, socket, head, (client) => resolve(webSocketTransport(client)));
  });
}

const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

/** What a client that asks for other subprotocols is told. */
export function webSocketProtocolOf(offered: string | undefined): string | undefined {
  const names = (offered ?? '').split(',').map((name) => name.trim());
  return protocols.find((name) => names.includes(name));
}

const server = new WebSocketServer({
  noServer: true,
  perMessageDeflate: false,
  maxPayload: 16 * 1024 * 1024,
  handleProtocols: (offered) => protocols.find((name) => offered.has(name)) ?? false,
});

const channel = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 };

/** Above it the command waits; when all is written it goes on. */
const highWaterBytes = 1024 * 1024;

function webSocketTransport(client: WebSocket): ExecTransport {
  let onDrain = () => {};
  const send = (to: number, chunk: Uint8Array) =>
    client.send(Buffer.concat([Buffer.of(to), chunk]), () => {
      if (client.bufferedAmount === 0) onDrain();
    });
  client.on('error', () => client.terminate());
  client.pause();
  return {
    start(handlers) {
      client.on('message', (message) => receive(bytesOf(message), handlers));
      client.on('close', () => handlers.close());
      if (client.readyState === client.CLOSED) handlers.close();
      client.resume();
    },
    output(stream, chunk) {
      send(channel[stream], chunk);
      return client.bufferedAmount < highWaterBytes;
    },
    onDrain(listener) {
      onDrain = listener;
    },
    pauseInput: () => client.pause(),
    resumeInput: () => client.resume(),
    finish(status) {
      send(channel.status, Buffer.from(JSON.stringify({ metadata: {}, ...status })));
      client.resume();
      client.close(1000);
    },
  };
}

function receive(message: Buffer, client: Parameters<ExecTransport['start']>[0]): void {
  const payload = message.subarray(1);
  const [from] = message;
  if (from === channel.stdin && payload.length > 0) client.input(payload);
  if (from === channel.close && payload[0] === channel.stdin) client.inputEnd();
  if (from !== channel.resize) return;
  const size = parseResize(payload.toString());
  if (size) client.resize(size.columns, size.rows);
}

function bytesOf(message: RawData): Buffer {
  if (Buffer.isBuffer(message)) return message;
  return Array.isArray(message) ? Buffer.concat(message) : Buffer.from(message);
}
