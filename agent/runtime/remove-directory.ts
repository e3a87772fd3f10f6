import { lstatSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ifPresent } from '../../base/durable-file.ts';

/**
 * With all that is in it; nothing if it isn't there. Little goes at once, in microseconds; what a container has
 * written may be much, and takes its time on other threads.
 */
export async function removeDirectory(path: string): Promise<void> {
  if (!removeLittle(path, { entries: 64 })) await rm(path, { recursive: true, force: true });
}

const LITTLE_BYTES = 1024 * 1024;
/** Of a directory itself, which is listed at once: some hundreds of names. */
const FEW_NAMES_BYTES = 16 * 1024;

/** False: there is more than that. */
function removeLittle(path: string, allowed: { entries: number }): boolean {
  const size = ifPresent(() => lstatSync(path).size);
  if (size === undefined) return true;
  if (size > FEW_NAMES_BYTES) return false;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inside = join(path, entry.name);
    if (--allowed.entries < 0) return false;
    if (entry.isDirectory()) {
      if (!removeLittle(inside, allowed)) return false;
    } else if (lstatSync(inside).size > LITTLE_BYTES) return false;
    else unlinkSync(inside);
  }
  rmdirSync(path);
  return true;
}
