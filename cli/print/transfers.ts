import type { Transfer } from '../../api/node-images.ts';
import type { Io, Output } from '../io.ts';

/** Layers on their way: a bar for each on a terminal; elsewhere a line when one begins and when it is done. */
export function openTransfers(
  { stderr, clock }: Pick<Io, 'stderr' | 'clock'>,
  /** What becomes of one that has all its bytes. */
  finish: string,
) {
  const startMs = new Map<string, number>();
  const start = () => (stderr.isTTY ? openBars(stderr) : openLines(stderr));
  let draw = start();
  return {
    update(transfers: readonly Transfer[]) {
      const now = clock.monotonic();
      for (const { digest, doneBytes } of transfers)
        if (doneBytes > 0 && !startMs.has(digest)) startMs.set(digest, now);
      draw(
        transfers.map((one) => ({ ...one, finish, ms: now - (startMs.get(one.digest) ?? now) })),
      );
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
  readonly finish: string;
}

function openBars(output: Output) {
  let drawn = 0;
  return (transfers: readonly Moving[]) => {
    // What has left the terminal can't be drawn again.
    const room = (output.rows || 24) - 1;
    const shown = transfers.length <= room ? transfers : transfers.filter(({ isDone }) => !isDone);
    const lines = shown.slice(0, room).map((one) => formatBar(one, output.columns || 80));
    const up = drawn > 0 ? `\u001b[${drawn}A` : '';
    output.write(`${up}\r\u001b[J${lines.map((line) => `${line}\n`).join('')}`);
    drawn = lines.length;
  };
}

function openLines(output: Output) {
  const told = new Set<string>();
  const tell = (line: string) => {
    if (!told.has(line)) output.write(`${line}\n`);
    told.add(line);
  };
  return (transfers: readonly Moving[]) => {
    for (const { digest, totalBytes, doneBytes, isDone } of transfers) {
      if (doneBytes > 0 || isDone) tell(`${shortDigest(digest)}: ${formatBytes(totalBytes)}`);
      if (isDone) tell(`${shortDigest(digest)}: done`);
    }
  };
}

const barWidth = 20;

/** "3f2a9c1b0d4e [======>             ] 12.0 MB of 45.0 MB, 8.1 MB/s". Pure. */
export function formatBar(transfer: Moving, columns: number): string {
  const { digest, doneBytes, totalBytes, ms, isDone, finish } = transfer;
  const done = totalBytes === 0 ? 1 : Math.min(1, doneBytes / totalBytes);
  const full = Math.round(done * barWidth);
  const bar = `${'='.repeat(full)}${full < barWidth ? '>' : ''}`.slice(0, barWidth);
  const rate = ms > 0 ? `, ${formatBytes((doneBytes * 1000) / ms)}/s` : '';
  const under =
    done === 1 ? finish : `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}${rate}`;
  const state = isDone ? 'done' : under;
  return `${shortDigest(digest)} [${bar.padEnd(barWidth)}] ${state}`.slice(0, columns - 1);
}

export const shortDigest = (digest: string) => digest.replace('sha256:', '').slice(0, 12);

/** "512 B", "12.3 kB", "1.2 GB". */
export function formatBytes(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3));
  const amount = bytes / 1000 ** power;
  return `${power === 0 ? Math.round(amount) : amount.toFixed(1)} ${['B', 'kB', 'MB', 'GB', 'TB'][power]}`;
}
