import type { ServerResponse } from 'node:http';

/** A client that has this much unread, beside what it began with, is cut off; it lists again when it can. */
const maxUnreadBytes = 16 * 1024 * 1024;

/** A response that is written to for a long time. It ends when the client goes or reads too slowly, or the server closes. */
export function openEventStream(response: ServerResponse, closing: AbortSignal) {
  const releases: (() => unknown)[] = [];
  let ended = response.destroyed || response.closed;
  let allowedBytes = Number.POSITIVE_INFINITY;
  const stop = (finish: () => void) => {
    if (ended) return;
    ended = true;
    for (const release of releases.splice(0)) release();
    finish();
  };
  const end = () => stop(() => response.end());
  response.on('error', () => stop(() => response.destroy()));
  response.on('close', () => stop(() => {}));
  closing.addEventListener('abort', end, { once: true });
  releases.push(() => closing.removeEventListener('abort', end));
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.flushHeaders();
  if (closing.aborted) end();
  return {
    send(chunk: string | Buffer): void {
      if (ended) return;
      response.write(chunk);
      if (response.writableLength > allowedBytes) stop(() => response.destroy());
    },
    /** From here on what the client has not read counts: see {@link maxUnreadBytes}. */
    goLive(): void {
      allowedBytes = response.writableLength + maxUnreadBytes;
    },
    /** Called once, at the end, or at once when that was already. */
    onEnd(release: () => unknown): void {
      if (ended) release();
      else releases.push(release);
    },
    end,
  };
}
