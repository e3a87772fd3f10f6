import { StatusError } from '../../../api/status.ts';
import type { Upgrade } from '../exec-session.ts';

/** Answers 101: from here on the socket speaks SPDY/3.1. Throws what a client of other stream protocols is told. */
export function acceptSpdy({ request, socket, head }: Upgrade, protocol: string): void {
  const offered = String(request.headers['x-stream-protocol-version'] ?? '');
  if (!offered.includes(protocol))
    throw new StatusError('Forbidden', `the stream protocol must be ${protocol}`);
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n` +
      `X-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
  if (head.length > 0) socket.unshift(head);
}
