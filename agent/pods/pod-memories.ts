import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfPresent, removeFile } from '../../base/durable-file.ts';
import type { PodMemories, PodMemory } from './pod-memory.ts';

const ending = '.json';

/** A file for each pod in `dir`, which is made with mode 0700. */
export async function openPodMemories(dir: string): Promise<PodMemories> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const pathOf = (uid: string) => join(dir, `${uid}${ending}`);
  return {
    async list() {
      const names = (await readdir(dir)).filter((name) => name.endsWith(ending));
      return names.map((name) => name.slice(0, -ending.length));
    },
    async read(uid) {
      const text = (await readIfPresent(readFile(pathOf(uid), 'utf8'))) ?? '';
      try {
        return JSON.parse(text) as PodMemory;
      } catch {
        return undefined;
      }
    },
    async write(uid, memory) {
      await writeFile(`${pathOf(uid)}.new`, JSON.stringify(memory), { mode: 0o600 });
      await rename(`${pathOf(uid)}.new`, pathOf(uid));
    },
    remove: (uid) => removeFile(pathOf(uid)),
  };
}
