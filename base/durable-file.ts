import { open, rename, unlink } from 'node:fs/promises';
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
  const file = await open(temporary, 'w', mode);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

/** Makes the names in it durable: what was created, replaced or removed. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** One file, on disk when resolved. */
export async function writeFileDurably(write: DurableWrite): Promise<void> {
  await replaceFile(write);
  await syncDirectory(dirname(write.path));
}

/** No error if it isn't there. */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isAbsence(error)) throw error;
  }
}

/** undefined for what isn't there. */
export async function readIfPresent<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

/** The same for what is read at once. */
export function ifPresent<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

const isAbsence = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT';
