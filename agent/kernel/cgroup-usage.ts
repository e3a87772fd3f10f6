import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfPresent } from '../../base/durable-file.ts';
import { type CgroupDirectory, groupOf } from './cgroup-trees.ts';

/** What a group and those below it have used. */
export interface CgroupUsage {
  /** Since the group was made. */
  readonly cpuNs: number;
  /** Working set: usage less the inactive pages of files, which the kernel takes back when it needs them. */
  readonly memoryBytes: number;
}

/** Counts and sizes by name; undefined: not counted here, or for a limit, none. */
export interface CgroupStats extends Partial<Record<keyof typeof counters, number>> {
  /** By device, as "254:0". */
  readonly io: Readonly<Record<string, IoStats>>;
  /** Bytes by page size, as "2MB". */
  readonly hugepages: Readonly<Record<string, number>>;
}

type IoStats = Readonly<{ readBytes: number; writtenBytes: number; reads: number; writes: number }>;

type Directories = readonly CgroupDirectory[];

/** undefined: there is no such group any more. */
export async function readCgroupUsage(directories: Directories): Promise<CgroupUsage | undefined> {
  const names = ['cpuNs', 'memoryBytes', 'inactiveBytes'] as const;
  const [cpuNs, used, inactive] = await Promise.all(names.map((name) => count(directories, name)));
  if (cpuNs === undefined || used === undefined || inactive === undefined) return undefined;
  return { cpuNs, memoryBytes: Math.max(0, used - inactive) };
}

/** undefined: there is no such group any more. */
export async function readCgroupStats(directories: Directories): Promise<CgroupStats | undefined> {
  const names = Object.keys(counters) as (keyof typeof counters)[];
  const values = names.map(async (name) => [name, await count(directories, name)] as const);
  const counted: Partial<Record<keyof typeof counters, number>> = Object.fromEntries(
    await Promise.all(values),
  );
  if (counted.cpuNs === undefined) return undefined;
  return { ...counted, io: await io(directories), hugepages: await hugepages(directories) };
}

/** File, and field of it, in version 1 and 2. */
const counters = {
  cpuNs: ['cpuacct.usage', 'cpu.stat usage_usec'],
  cpuUserNs: ['cpuacct.stat user', 'cpu.stat user_usec'],
  cpuSystemNs: ['cpuacct.stat system', 'cpu.stat system_usec'],
  cpuPeriods: ['cpu.stat nr_periods', 'cpu.stat nr_periods'],
  cpuThrottledPeriods: ['cpu.stat nr_throttled', 'cpu.stat nr_throttled'],
  cpuThrottledNs: ['cpu.stat throttled_time', 'cpu.stat throttled_usec'],
  memoryBytes: ['memory.usage_in_bytes', 'memory.current'],
  memoryLimitBytes: ['memory.limit_in_bytes', 'memory.max'],
  inactiveBytes: ['memory.stat total_inactive_file', 'memory.stat inactive_file'],
  swapBytes: ['memory.stat total_swap', 'memory.swap.current'],
  pids: ['pids.current', 'pids.current'],
  pidsLimit: ['pids.max', 'pids.max'],
} as const;

/** USER_HZ is 100 wherever Node runs. */
const TICK_NS = 10_000_000;

async function count(directories: Directories, name: keyof typeof counters) {
  const [file = '', field] = counters[name][isUnified(directories) ? 1 : 0].split(' ');
  const text = (await read(directories, file)) ?? '';
  const digits = field ? new RegExp(`^${field} (\\d+)$`, 'm').exec(text)?.[1] : text;
  const factor = field?.endsWith('_usec') ? 1000 : file === 'cpuacct.stat' ? TICK_NS : 1;
  const value = Number.parseInt(digits ?? '', 10) * factor;
  // Version 1 says "no limit" by a number near 2^63.
  return value < 2 ** 62 ? value : undefined;
}

const isUnified = (directories: Directories) => directories[0]?.controller === '';

/** Lines as "254:0 Read 4096" in a file of bytes and one of counts, or "254:0 rbytes=4096 wbytes=0 rios=1 wios=0". */
async function io(directories: Directories): Promise<Readonly<Record<string, IoStats>>> {
  const files = isUnified(directories)
    ? (['io.stat', 'io.stat'] as const)
    : ([
        'blkio.throttle.io_service_bytes_recursive',
        'blkio.throttle.io_serviced_recursive',
      ] as const);
  const [bytes = '', counts = ''] = await Promise.all(files.map((file) => read(directories, file)));
  const devices = new Set(bytes.match(/^\d+:\d+(?= )/gm));
  const stats = [...devices].map((device) => {
    const amount = (text: string, words: string) =>
      Number(new RegExp(`^${device} (?:.* )?(?:${words})[ =](\\d+)`, 'm').exec(text)?.[1] ?? 0);
    const stat: IoStats = {
      readBytes: amount(bytes, 'Read|rbytes'),
      writtenBytes: amount(bytes, 'Write|wbytes'),
      reads: amount(counts, 'Read|rios'),
      writes: amount(counts, 'Write|wios'),
    };
    return [device, stat] as const;
  });
  return Object.fromEntries(stats);
}

async function hugepages(directories: Directories): Promise<Readonly<Record<string, number>>> {
  const group = groupOf(directories, 'hugetlb');
  const files = group ? await readdir(group.path) : [];
  const used = files.map(async (file) => {
    const [, size] = /^hugetlb\.(\w+)\.(?:current|usage_in_bytes)$/.exec(file) ?? [];
    return size === undefined ? [] : [[size, Number(await read(directories, file))] as const];
  });
  return Object.fromEntries((await Promise.all(used)).flat());
}

/** The first part of a file's name is its controller's. */
async function read(directories: Directories, file: string): Promise<string | undefined> {
  const group = groupOf(directories, file.split('.', 1)[0] ?? '');
  return group && readIfPresent(readFile(join(group.path, file), 'utf8'));
}
