import { lstatSync, readdirSync, unlinkSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ifPresent } from '../../base/durable-file.ts';
import { removeTree } from '../../base/remove-tree.ts';

/**
 * With all that is in it; nothing if it isn't there. Little files go at once, in microseconds. Directories go on other
 * threads, as where ext4 discards what it frees each of them waits for the disk; so does what may be much.
 */
export async function removeDirectory(path: string): Promise<void> {
  if (!(await removeLittle(path, { entries: 64 }))) await removeTree(path);
}

const LITTLE_BYTES = 1024 * 1024;
/** Of a directory itself, which is listed at once: some hundreds of names. */
const FEW_NAMES_BYTES = 16 * 1024;

/** False: there is more than that, and some of it may be gone. */
async function removeLittle(path: string, allowed: { entries: number }): Promise<boolean> {
  const size = ifPresent(() => lstatSync(path).size);
  if (size === undefined) return true;
  if (size > FEW_NAMES_BYTES) return false;
  const below: Promise<boolean>[] = [];
  let isLittle = true;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inside = join(path, entry.name);
    isLittle &&= --allowed.entries >= 0 && isPlain(inside);
    if (!isLittle) break;
    if (entry.isDirectory()) below.push(removeLittle(inside, allowed));
    else if (lstatSync(inside).size > LITTLE_BYTES) isLittle = false;
    else unlinkSync(inside);
  }
  if ((await Promise.all(below)).includes(false) || !isLittle) return false;
  await rmdir(path);
  return true;
}

/** Short enough in UTF-8, and all of it was: what wasn't is another name now. */
const isPlain = (path: string) => path.length < 1000 && !path.includes('\ufffd');
