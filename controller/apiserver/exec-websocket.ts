import type { WebSocket } from 'ws';
import { type ExecClient, type ExecTransport, tellSize, type Upgrade } from './exec-session.ts';
import { acceptWebSocket, channelsOf, closeChannel, readChannels } from './web-socket.ts';

/** Exec over a WebSocket, subprotocols v5.channel.k8s.io and v4.channel.k8s.io. */
export const openExecWebSocket = async (upgrade: Upgrade): Promise<ExecTransport> =>
  webSocketTransport(await acceptWebSocket(upgrade));

const channel = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4 };

function webSocketTransport(client: WebSocket): ExecTransport {
  const channels = channelsOf(client);
  return {
    start: (handlers) =>
      readChannels(client, {
        message: (from, payload) => receive(from, payload, handlers),
        closed: () => handlers.close(),
      }),
    output: (stream, chunk) => channels.send(channel[stream], chunk),
    onDrain: channels.onDrain,
    pauseInput: () => client.pause(),
    resumeInput: () => client.resume(),
    finish(status) {
      channels.send(channel.status, Buffer.from(JSON.stringify({ metadata: {}, ...status })));
      client.resume();
      client.close(1000);
    },
  };
}

function receive(from: number, payload: Buffer, client: ExecClient): void {
  if (from === channel.stdin && payload.length > 0) client.input(payload);
  if (from === closeChannel && payload[0] === channel.stdin) client.inputEnd();
  if (from === channel.resize) tellSize(payload.toString(), client);
}
