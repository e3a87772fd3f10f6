import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** With all that is in it; nothing if it isn't there. Strangers may have filled it: however deep and whatever its names. */
export async function removeTree(path: string): Promise<void> {
  const remove = () => rm(path, { recursive: true, force: true });
  await remove().catch(async (error) => {
    if (error.code !== 'ENAMETOOLONG') throw error;
    await flatten(path);
    await remove();
  });
}

/** With a name's 255 and a margin below what a path may have. */
const deepBytes = 2000;

/** Moves up what lies deeper than a path can say, into a directory whose name can't be taken. */
async function flatten(top: string): Promise<void> {
  const aside = await mkdtemp(join(top, 'deep-'));
  const queue = [Buffer.from(top)];
  for (const path of queue)
    for (const entry of await readdir(path, { withFileTypes: true, encoding: 'buffer' })) {
      if (!entry.isDirectory()) continue;
      let below = Buffer.concat([path, Buffer.from('/'), entry.name]);
      if (below.length > deepBytes) {
        const raised = Buffer.from(join(aside, String(queue.length)));
        await rename(below, raised);
        below = raised;
      }
      queue.push(below);
    }
}
