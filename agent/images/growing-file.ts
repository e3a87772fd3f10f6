import { type FileHandle, open } from 'node:fs/promises';

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
const readBytes = 1024 * 1024;

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
      const seen = Atomics.load(gauge, 0);
      const length = Math.min(readBytes, Number(seen & (whole - 1n)) - at);
      if (length > 0) {
        handle ??= await openEither(file);
        const chunk = await readAt(handle, at, length);
        at += chunk.length;
        yield chunk;
      } else if (seen & whole) {
        return;
      } else if (seen & givenUp) {
        throw new Error('its transfer was given up');
      } else {
        await Atomics.waitAsync(gauge, 0, seen).value;
      }
    }
  } finally {
    await handle?.close();
  }
}

async function readAt(handle: FileHandle, at: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafeSlow(length), 0, length, at);
  if (bytesRead === 0) throw new Error('the file is shorter than it was');
  return buffer.subarray(0, bytesRead);
}

/** It may get its final name at any moment. */
function openEither({ path, finalPath }: GrowingFile): Promise<FileHandle> {
  return open(path).catch(() => open(finalPath));
}
