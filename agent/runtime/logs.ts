import { constants, watch } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { readIfPresent } from '../../base/durable-file.ts';
import { type LogLineOptions, logLineFormatter } from './log-lines.ts';

export interface LogRequest extends LogLineOptions {
  readonly path: string;
  /** Goes on until the container has ended, which `ended` says, or the reader lets go. */
  readonly follow: boolean;
  /** Only so many entries from the end (pieces of a long line count each, as in the kubelet); undefined: all. */
  readonly tailLines: number | undefined;
  /** undefined: no limit. */
  readonly limitBytes: number | undefined;
}

export interface LogSignals {
  /** Ends the reading. */
  readonly abort: AbortSignal;
  /** Nothing more will be written: what is there is read, then it ends. */
  readonly ended: AbortSignal;
}

/**
 * What a container has printed, oldest first, through all of its rotated files. undefined: there is no such log. With
 * `follow` the kernel tells of changes (inotify); nothing polls. Links are not followed (CVE-2024-8676).
 */
export async function readLogs(request: LogRequest, signals: LogSignals) {
  const found = await readIfPresent(stat(request.path));
  return found === undefined ? undefined : textOf(request, signals);
}

async function* textOf(request: LogRequest, signals: LogSignals): AsyncGenerator<Uint8Array> {
  const format = logLineFormatter(request);
  let left = request.limitBytes ?? Number.POSITIVE_INFINITY;
  for await (const chunk of raw(request, signals)) {
    const text = format(chunk);
    if (text.length === 0) continue;
    yield text.length > left ? text.subarray(0, left) : text;
    left -= text.length;
    if (left <= 0) return;
  }
}

/** The bytes of all files from where the tail begins; with `follow` also those that come. */
async function* raw(request: LogRequest, signals: LogSignals): AsyncGenerator<Buffer> {
  const files = await openRotated(request.path);
  try {
    const start = await findTail(files, request.tailLines);
    for (const [i, file] of files.entries()) {
      if (i < start.file) continue;
      const isLast = i === files.length - 1;
      const from = i === start.file ? start.offset : 0;
      if (isLast && request.follow) yield* followed({ path: request.path, file, from }, signals);
      else yield* readFrom(file, { from, abort: signals.abort });
    }
  } finally {
    for (const file of files) await file.close();
  }
}

/** Oldest first. Opened at once, so that a rotation meanwhile changes nothing for the reader. */
async function openRotated(path: string): Promise<readonly FileHandle[]> {
  const files: FileHandle[] = [];
  for (const n of (await rotations(path)).toSorted((a, b) => b - a))
    files.push(...(await openLogFile(`${path}.${n}`)));
  files.push(...(await openLogFile(path)));
  return files;
}

/** The numbers of the files that were the log before this one; 1 is the latest. */
async function rotations(path: string): Promise<readonly number[]> {
  const [directory, name] = [dirname(path), `${basename(path)}.`];
  const names = (await readIfPresent(readdir(directory))) ?? [];
  const ends = names.filter((one) => one.startsWith(name)).map((one) => one.slice(name.length));
  return ends.filter((end) => /^[1-9]\d*$/.test(end)).map(Number);
}

async function openLogFile(path: string): Promise<readonly FileHandle[]> {
  const file = await readIfPresent(open(path, constants.O_RDONLY | constants.O_NOFOLLOW));
  return file ? [file] : [];
}

const BLOCK_BYTES = 65_536;

async function* readFrom(
  file: FileHandle,
  { from, abort }: { readonly from: number; readonly abort: AbortSignal },
): AsyncGenerator<Buffer, number> {
  for (let at = from; ; ) {
    const block = Buffer.allocUnsafe(BLOCK_BYTES);
    const { bytesRead } = await file.read(block, 0, BLOCK_BYTES, at);
    if (bytesRead === 0 || abort.aborted) return at;
    yield block.subarray(0, bytesRead);
    at += bytesRead;
  }
}

/** Where the last `lines` entries begin: counted from the end, block by block. */
async function findTail(files: readonly FileHandle[], lines: number | undefined) {
  if (lines === undefined) return { file: 0, offset: 0 };
  const last = files.length - 1;
  if (lines === 0) return { file: last, offset: (await files[last]?.stat())?.size ?? 0 };
  let missing = lines;
  for (let i = last; i >= 0; i--) {
    const found = await findTailInFile(files[i]!, missing);
    if (found.offset !== undefined) return { file: i, offset: found.offset };
    missing -= found.lines;
  }
  return { file: 0, offset: 0 };
}

async function findTailInFile(file: FileHandle, lines: number) {
  let seen = 0;
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  for (let end = (await file.stat()).size; end > 0; ) {
    const from = Math.max(0, end - BLOCK_BYTES);
    const { bytesRead } = await file.read(block, 0, end - from, from);
    for (let at = bytesRead - 1; at >= 0; at--) {
      if (block[at] !== 10) continue;
      // The newline before the first wanted line is one more than there are lines.
      if (seen === lines) return { lines, offset: from + at + 1 };
      seen += 1;
    }
    end = from;
  }
  return seen === lines ? { lines, offset: 0 } : { lines: seen, offset: undefined };
}

/** Reads to the end, waits for a change, reads on; through rotations, until the container has ended. */
async function* followed(
  start: { readonly path: string; readonly file: FileHandle; readonly from: number },
  { abort, ended }: LogSignals,
): AsyncGenerator<Buffer> {
  const bell = watchChanges(start.path, [abort, ended]);
  let current = start.file;
  let at = start.from;
  try {
    while (!abort.aborted) {
      // Before the read: what is written after the bell was reset rings it again.
      bell.reset();
      const wasEnded = ended.aborted;
      at = yield* readFrom(current, { from: at, abort });
      const next = await nextFile(start.path, current);
      if (next !== undefined) {
        yield* readFrom(current, { from: at, abort });
        if (current !== start.file) await current.close();
        current = next;
        at = 0;
      } else if (wasEnded) return;
      else await bell.rung();
    }
  } finally {
    bell.close();
    if (current !== start.file) await current.close();
  }
}

/** The file that was begun after `current` was rotated away; undefined while `current` is the newest. */
async function nextFile(path: string, current: FileHandle): Promise<FileHandle | undefined> {
  const own = (await current.stat()).ino;
  if ((await readIfPresent(stat(path)))?.ino === own) return undefined;
  const files = await openRotated(path);
  const inodes = await Promise.all(files.map(async (file) => (await file.stat()).ino));
  const next = files[inodes.indexOf(own) + 1];
  for (const file of files) if (file !== next) await file.close();
  return next;
}

/** Rings when a file of the log changes, and when a signal comes. */
function watchChanges(path: string, signals: readonly AbortSignal[]) {
  let ring = Promise.withResolvers<void>();
  const strike = () => ring.resolve();
  const name = basename(path);
  const watcher = watch(dirname(path), { persistent: false }, (_, changed) => {
    if (changed === null || changed.startsWith(name)) strike();
  });
  watcher.on('error', strike);
  for (const signal of signals) signal.addEventListener('abort', strike, { once: true });
  return {
    reset: () => void (ring = Promise.withResolvers<void>()),
    /** Resolves at once if it has rung since the last reset. */
    rung: () => ring.promise,
    close() {
      watcher.close();
      for (const signal of signals) signal.removeEventListener('abort', strike);
    },
  };
}
