import { closeSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { ifPresent } from '../../base/durable-file.ts';

/** A file that may still grow, for readers in any thread of this process. */
export interface GrowingFile {
  readonly path: string;
  /** Where it is once it is whole. */
  readonly finalPath: string;
  /** One BigInt64: bytes so far, and one of the two below at its end. One number, so that no reader misses either. */
  readonly gauge: SharedArrayBuffer;
}

const whole = 1n << 60n;
const givenUp = 1n << 61n;
const readBytes = 256 * 1024;

/** For the one who writes it. */
export function growingFile(path: string, finalPath: string) {
  const file: GrowingFile = { path, finalPath, gauge: new SharedArrayBuffer(8) };
  const gauge = new BigInt64Array(file.gauge);
  const set = (value: bigint) => {
    Atomics.store(gauge, 0, value);
    Atomics.notify(gauge, 0);
  };
  return {
    file,
    reached: (bytes: number) => set(BigInt(bytes)),
    end: (isWhole: boolean) => set(Atomics.load(gauge, 0) | (isWhole ? whole : givenUp)),
  };
}

export function wholeFile(path: string, bytes: number): GrowingFile {
  const { file, reached, end } = growingFile(path, path);
  reached(bytes);
  end(true);
  return file;
}

/** Its bytes from `from` to the end, each as soon as it is there. Throws if the end never comes. */
export async function* readGrowing(file: GrowingFile, from = 0): AsyncGenerator<Buffer> {
  const gauge = new BigInt64Array(file.gauge);
  // There is a file once there are bytes.
  let handle: FileHandle | undefined;
  try {
    for (let at = from; ; ) {
      const { seen, length } = readable(gauge, at);
      if (length > 0) {
        handle ??= await open(file.path).catch(() => open(file.finalPath));
        const room = Buffer.allocUnsafeSlow(length);
        const { bytesRead } = await handle.read(room, 0, length, at);
        at += atLeastOne(bytesRead);
        yield room.subarray(0, bytesRead);
      } else if (isOver(seen)) {
        return;
      } else {
        await Atomics.waitAsync(gauge, 0, seen).value;
      }
    }
  } finally {
    await handle?.close();
  }
}

const stopEveryMs = 100;

/** The same for a thread that has nothing else to do. The chunks share one buffer. Throws also when it is to stop. */
export function* readGrowingSync(file: GrowingFile, isStopped: () => boolean): Generator<Buffer> {
  const gauge = new BigInt64Array(file.gauge);
  const room = Buffer.alloc(readBytes);
  let fd: number | undefined;
  try {
    for (let at = 0; ; ) {
      if (isStopped()) throw new Error('stopped');
      const { seen, length } = readable(gauge, at);
      if (length > 0) {
        fd ??= openEither(file);
        const bytesRead = atLeastOne(readSync(fd, room, 0, length, at));
        at += bytesRead;
        yield room.subarray(0, bytesRead);
      } else if (isOver(seen)) {
        return;
      } else {
        Atomics.wait(gauge, 0, seen, stopEveryMs);
      }
    }
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Throws if it never is. */
export async function untilWhole(file: GrowingFile): Promise<void> {
  const gauge = new BigInt64Array(file.gauge);
  for (let seen = Atomics.load(gauge, 0); !isOver(seen); seen = Atomics.load(gauge, 0))
    await Atomics.waitAsync(gauge, 0, seen).value;
}

function readable(gauge: BigInt64Array, at: number) {
  const seen = Atomics.load(gauge, 0);
  return { seen, length: Math.min(readBytes, Number(seen & (whole - 1n)) - at) };
}

function isOver(seen: bigint): boolean {
  if (seen & givenUp) throw new Error('its transfer was given up');
  return (seen & whole) !== 0n;
}

function atLeastOne(bytesRead: number): number {
  if (bytesRead === 0) throw new Error('the file is shorter than it was');
  return bytesRead;
}

/** It may get its final name at any moment. */
const openEither = ({ path, finalPath }: GrowingFile): number =>
  ifPresent(() => openSync(path, 'r')) ?? openSync(finalPath, 'r');
