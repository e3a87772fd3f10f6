import type { Duplex } from 'node:stream';
import { type Forwarding, forwardPort, type OpenPort, sharedInput } from './port-forward.ts';
import { openSpdyConnection } from './spdy/connection.ts';

export const spdyForwardProtocol = 'portforward.k8s.io';

/** Of one client; more are refused. */
const maxStreams = 2_000;

/**
 * Ports over SPDY/3.1, what every kubectl speaks. For each connection the client opens two streams with the same header
 * `requestid`: first `streamtype: error`, which says what went wrong, then `streamtype: data`.
 */
export function servePortsOverSpdy(socket: Duplex, open: OpenPort): void {
  const errorStreams = new Map<string, number>();
  const forwardings = new Map<number, Forwarding>();
  const forward = (data: number, error: number, port: number) => {
    const forwarding = forwardPort(open, port, {
      output: (chunk) => connection.send(data, chunk),
      finish(failure) {
        forwardings.delete(data);
        connection.finish(error, failure === undefined ? undefined : Buffer.from(failure));
        connection.finish(data);
      },
      holdInput: () => input.hold(data),
      releaseInput: () => input.release(data),
    });
    forwardings.set(data, forwarding);
  };
  const connection = openSpdyConnection(socket, {
    opened(stream, headers) {
      const request = headers.get('requestid') ?? headers.get('port') ?? '';
      const error = errorStreams.get(request);
      const isFull = errorStreams.size + forwardings.size >= maxStreams;
      if (headers.get('streamtype') === 'error' && !isFull) errorStreams.set(request, stream);
      else if (error === undefined) connection.finish(stream);
      else {
        errorStreams.delete(request);
        forward(stream, error, Number(headers.get('port')));
      }
    },
    received: (stream, chunk) => forwardings.get(stream)?.input(chunk),
    ended: (stream) => forwardings.get(stream)?.inputEnd(),
    reset: (stream) => forwardings.get(stream)?.close(),
    closed() {
      for (const forwarding of forwardings.values()) forwarding.close();
    },
  });
  const input = sharedInput(connection);
  socket.on('drain', () => {
    for (const forwarding of forwardings.values()) forwarding.resume();
  });
}
