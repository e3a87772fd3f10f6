import { rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from '../../base/durable-file.ts';

/** Gives a finished file or directory its name: after this it is there, whole, even if power fails. */
export async function publish(finished: string, path: string): Promise<void> {
  await rename(finished, path);
  await syncDirectory(dirname(path));
}
