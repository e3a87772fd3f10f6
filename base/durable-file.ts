import { open, rename, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface DurableWrite {
  readonly path: string;
  readonly bytes: Uint8Array | string;
  /** Permission bits of the new file; nobody else ever sees it with others. */
  readonly mode: number;
}

/** Ends the name of what is being written; who was killed meanwhile leaves it behind. */
export const unfinished = '.new';

/** Old content or new, whatever happens; resolved means: on disk, once {@link syncDirectory} was called too. */
export async function replaceFile({ path, bytes, mode }: DurableWrite): Promise<void> {
  const temporary = `${path}${unfinished}`;
  await writeFile(temporary, bytes, { mode, flush: true });
  await rename(temporary, path);
}

/** Makes the names in it durable: what was created, replaced or removed. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  await directory.sync();
}

/** One file, on disk when resolved. */
export async function writeFileDurably(write: DurableWrite): Promise<void> {
  await replaceFile(write);
  await syncDirectory(dirname(write.path));
}

/** No error if it isn't there. */
export async function removeFile(path: string): Promise<void> {
  await readIfPresent(unlink(path));
}

/** undefined for what isn't there. */
export const readIfPresent = <T>(read: Promise<T>) => read.catch(undefinedIfAbsent);

/** The same for what is read at once. */
export function ifPresent<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    return undefinedIfAbsent(error);
  }
}

function undefinedIfAbsent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
