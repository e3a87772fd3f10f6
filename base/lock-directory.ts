import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * Makes the directory (0700) and keeps every other process out of it until it is released or this process ends, even by
 * SIGKILL. SQLite's lock on a file is the only one that Node gives; nothing is ever written to it. Refuses a directory
 * that has `foreign`, a file that only another role makes.
 */
export async function lockDirectory(dir: string, foreign?: string): Promise<Disposable> {
  if (foreign !== undefined && existsSync(join(dir, foreign)))
    throw new Error(`another role's directory: there is ${foreign} in it`);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const file = new DatabaseSync(join(dir, 'lock'));
  try {
    file.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    file.close();
    throw new Error('another process of orc uses this directory', { cause });
  }
  return { [Symbol.dispose]: () => file.close() };
}
