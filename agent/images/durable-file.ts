import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Publishes a finished file or directory under its name: after this it is there, whole, even if power fails. */
export async function publish(finished: string, path: string): Promise<void> {
  await rename(finished, path);
  await syncDirectory(dirname(path));
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Replaces a file's content in one step. */
export async function writeDurably(path: string, bytes: string | Uint8Array): Promise<void> {
  const partial = `${path}.partial`;
  const file = await open(partial, 'w', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await publish(partial, path);
}
