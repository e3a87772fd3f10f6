import { createWebSocketStream, type WebSocket } from 'ws';
import type { Upgrade } from './exec-session.ts';
import { forwardPort, isPort, type OpenPort, sharedInput } from './port-forward.ts';
import { servePortsOverSpdy } from './port-forward-spdy.ts';
import { badRequest } from './request-options.ts';
import * as webSocket from './web-socket.ts';

/** Ports over a WebSocket: kubectl's tunnelled SPDY, or one pair of channels for each of the query's `ports`. */
export async function servePortsOverWebSocket(
  upgrade: Upgrade,
  query: URLSearchParams,
  open: OpenPort,
): Promise<void> {
  const offered = upgrade.request.headers['sec-websocket-protocol'] ?? '';
  const ports = offered.includes(webSocket.tunnelProtocol) ? [] : portsIn(query);
  const client = await webSocket.acceptWebSocket(upgrade);
  if (client.protocol === webSocket.tunnelProtocol) {
    const tunnel = createWebSocketStream(client);
    tunnel.on('error', () => tunnel.destroy());
    servePortsOverSpdy(tunnel, open);
  } else serveChannels(client, ports, open);
}

/** Each channel begins with its port, two bytes, little-endian. At the end of all connections the WebSocket ends too. */
function serveChannels(client: WebSocket, ports: readonly number[], open: OpenPort): void {
  const channels = webSocket.channelsOf(client);
  const input = sharedInput(client);
  let left = ports.length;
  const forwardings = ports.map((port, at) => {
    const [data, error] = [2 * at, 2 * at + 1];
    channels.send(data, Buffer.of(port & 0xff, port >> 8));
    channels.send(error, Buffer.of(port & 0xff, port >> 8));
    return forwardPort(open, port, {
      output: (chunk) => channels.send(data, chunk),
      finish(failure) {
        if (failure !== undefined) channels.send(error, Buffer.from(failure));
        if (--left > 0) return;
        client.resume();
        client.close(1000);
      },
      holdInput: () => input.hold(at),
      releaseInput: () => input.release(at),
    });
  });
  channels.onDrain(() => {
    for (const forwarding of forwardings) forwarding.resume();
  });
  webSocket.readChannels(client, {
    message(channel, payload) {
      if (channel === webSocket.closeChannel) forwardings[(payload[0] ?? 1) / 2]?.inputEnd();
      else if (payload.length > 0) forwardings[channel / 2]?.input(payload);
    },
    closed() {
      for (const forwarding of forwardings) forwarding.close();
    },
  });
}

const maxPorts = 100;

/** `ports=80&ports=8080`, or `ports=80,8080`. */
function portsIn(query: URLSearchParams): readonly number[] {
  const words = query.getAll('ports').flatMap((text) => text.split(','));
  const ports = words.map(Number);
  if (ports.length === 0 || ports.length > maxPorts || !ports.every(isPort))
    throw badRequest(`ports must be 1 to ${maxPorts} numbers from 1 to 65535`);
  return ports;
}
