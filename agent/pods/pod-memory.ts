import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PodCondition } from '../../api/pod-status.ts';
import { readIfPresent, removeFile } from '../../base/durable-file.ts';
import { parseJson } from '../../base/json-text.ts';
import type { PodRecord } from './pod-context.ts';
import type { ContainerMemory } from './pod-observation.ts';

/** What outlives an agent beside the records of what runs: how long to hold back, what was asked to stop, since when. */
export interface PodMemory {
  readonly startedAtMs: number;
  readonly containers: Readonly<Record<string, Pick<ContainerMemory, 'streak' | 'stop' | 'lost'>>>;
  /** As they were reported last: a condition that stays keeps its time. */
  readonly conditions: readonly PodCondition[] | undefined;
}

/** By the pod's uid; on disk, where a crash of the host may take the last change back. */
export type PodMemories = Awaited<ReturnType<typeof openPodMemories>>;

/** Writes only what differs from what was written last. */
export async function keepMemory(record: PodRecord, memories: PodMemories): Promise<void> {
  const containers = [...record.memory].map(
    ([name, { streak, stop, lost }]) => [name, { streak, stop, lost }] as const,
  );
  const memory: PodMemory = {
    startedAtMs: record.startedAtMs,
    containers: Object.fromEntries(containers),
    conditions: record.status?.conditions ?? record.conditionsBefore,
  };
  const text = JSON.stringify(memory);
  if (text === record.kept) return;
  await memories.write(record.uid, memory);
  record.kept = text;
}

const ending = '.json';

/** A file for each pod in `dir`, which is made with mode 0700. */
export async function openPodMemories(dir: string) {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const pathOf = (uid: string) => join(dir, `${uid}${ending}`);
  return {
    async list() {
      const names = (await readdir(dir)).filter((name) => name.endsWith(ending));
      return names.map((name) => name.slice(0, -ending.length));
    },
    /** undefined: none, or unreadable. */
    async read(uid: string) {
      const text = (await readIfPresent(readFile(pathOf(uid), 'utf8'))) ?? '';
      return parseJson(text) as PodMemory | undefined;
    },
    async write(uid: string, memory: PodMemory) {
      await writeFile(`${pathOf(uid)}.new`, JSON.stringify(memory), { mode: 0o600 });
      await rename(`${pathOf(uid)}.new`, pathOf(uid));
    },
    remove: (uid: string) => removeFile(pathOf(uid)),
  };
}
