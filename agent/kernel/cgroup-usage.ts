import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfPresent } from '../../base/durable-file.ts';
import type { CgroupController } from './cgroup-trees.ts';

/** What a group and those below it have used. */
export interface CgroupUsage {
  /** Since the group was made. */
  readonly cpuNs: number;
  /** Working set: usage less the inactive pages of files, which the kernel takes back when it needs them. */
  readonly memoryBytes: number;
}

/** undefined: there is no such group any more. */
export async function readCgroupUsage(
  directories: readonly { readonly controller: '' | CgroupController; readonly path: string }[],
): Promise<CgroupUsage | undefined> {
  const read = (controller: CgroupController, file: string) => {
    const found = directories.find((d) => d.controller === '' || d.controller === controller);
    return readIfPresent(readFile(join(found?.path ?? '', file), 'utf8'));
  };
  const isUnified = directories[0]?.controller === '';
  const [cpu, used, stat] = await Promise.all([
    isUnified ? read('cpu', 'cpu.stat') : read('cpuacct', 'cpuacct.usage'),
    read('memory', isUnified ? 'memory.current' : 'memory.usage_in_bytes'),
    read('memory', 'memory.stat'),
  ]);
  if (cpu === undefined || used === undefined || stat === undefined) return undefined;
  const inactive = fieldOf(stat, isUnified ? 'inactive_file' : 'total_inactive_file');
  return {
    cpuNs: isUnified ? fieldOf(cpu, 'usage_usec') * 1000 : Number(cpu),
    memoryBytes: Math.max(0, Number(used) - inactive),
  };
}

const fieldOf = (text: string, name: string) =>
  Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
