import { shortDigest, type Transfer } from '../../api/node-images.ts';
import type { Io, Output } from '../io.ts';

/** Layers on their way: a bar for each on a terminal; elsewhere a line when one begins and when it is done. */
export function openTransfers(
  { stderr, clock }: Pick<Io, 'stderr' | 'clock'>,
  /** What becomes of one that has all its bytes. */
  finish: string,
) {
  const startMs = new Map<string, number>();
  const start = () => (stderr.isTTY ? openBars(stderr, finish) : openLines(stderr));
  let draw = start();
  return {
    update(transfers: readonly Transfer[]) {
      const now = clock.monotonic();
      for (const { digest, doneBytes } of transfers)
        if (doneBytes > 0 && !startMs.has(digest)) startMs.set(digest, now);
      draw(transfers.map((one) => ({ ...one, ms: now - (startMs.get(one.digest) ?? now) })));
    },
    /** What is shown stays; what comes now comes below it. */
    settle() {
      draw = start();
    },
  };
}

interface Moving extends Transfer {
  /** Since its first byte. */
  readonly ms: number;
}

function openBars(output: Output, finish: string) {
  let drawn = 0;
  return (transfers: readonly Moving[]) => {
    // What has left the terminal can't be drawn again.
    const room = (output.rows || 24) - 1;
    const shown = transfers.length <= room ? transfers : transfers.filter(({ isDone }) => !isDone);
    const lines = shown
      .slice(0, room)
      .map((one) => `${formatBar(one, finish).slice(0, (output.columns || 80) - 1)}\n`);
    const up = drawn > 0 ? `\u001b[${drawn}A` : '';
    output.write(`${up}\r\u001b[J${lines.join('')}`);
    drawn = lines.length;
  };
}

function openLines(output: Output) {
  const told = new Set<string>();
  const tell = (digest: string, what: string) => {
    const line = `${shortDigest(digest)}: ${what}\n`;
    if (!told.has(line)) output.write(line);
    told.add(line);
  };
  return (transfers: readonly Moving[]) => {
    for (const { digest, totalBytes, doneBytes, isDone } of transfers) {
      if (doneBytes > 0 || isDone) tell(digest, formatBytes(totalBytes));
      if (isDone) tell(digest, 'done');
    }
  };
}

const width = 20;

/** "3f2a9c1b0d4e [=====>              ] 12.0 MB of 45.0 MB, 8.1 MB/s". Pure. */
export function formatBar(transfer: Moving, finish: string): string {
  const { digest, doneBytes, totalBytes, ms, isDone } = transfer;
  const full = Math.floor((width * doneBytes) / Math.max(1, totalBytes));
  const bar = `${'='.repeat(full)}>`.slice(0, width).padEnd(width);
  const rate = ms > 0 ? `, ${formatBytes((doneBytes * 1000) / ms)}/s` : '';
  const way = `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}${rate}`;
  const state = doneBytes < totalBytes ? way : finish;
  return `${shortDigest(digest)} [${bar}] ${isDone ? 'done' : state}`;
}

/** "512 B", "12.3 kB", "1.2 GB". Pure. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  const power = Math.min(4, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(1)} ${'kMGT'[power - 1]}B`;
}
