import { readFile } from 'node:fs/promises';
import { readIfPresent, writeFileDurably } from '../../base/durable-file.ts';
import type { Rng } from '../../base/rng.ts';

const nodeKeyBytes = 32;

/** The key that this node encrypts Secrets with where it keeps them; made on first use, mode 0600. */
export async function ensureNodeKey(path: string, rng: Rng): Promise<Uint8Array> {
  const stored = await readIfPresent(readFile(path));
  if (stored?.length === nodeKeyBytes) return stored;
  const key = rng.bytes(nodeKeyBytes);
  await writeFileDurably({ path, bytes: key, mode: 0o600 });
  return key;
}
