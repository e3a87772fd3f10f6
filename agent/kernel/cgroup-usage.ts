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

/** All of it; what this host doesn't count is 0. Limits are undefined where there is none. */
export interface CgroupStats extends CgroupUsage {
  readonly cpu: {
    readonly userNs: number;
    readonly systemNs: number;
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly throttledNs: number;
  };
  readonly memory: {
    readonly usedBytes: number;
    readonly limitBytes: number | undefined;
    readonly swapBytes: number;
  };
  readonly pids: { readonly current: number; readonly limit: number | undefined };
  readonly io: readonly CgroupIo[];
  /** Bytes by page size, as "2MB". */
  readonly hugepages: Readonly<Record<string, number>>;
}

interface CgroupIo {
  /** "254:0" */
  readonly device: string;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly reads: number;
  readonly writes: number;
}

type Directories = readonly CgroupDirectory[];

/** undefined: there is no such group any more. */
export async function readCgroupUsage(directories: Directories): Promise<CgroupUsage | undefined> {
  const isUnified = directories[0]?.controller === '';
  const [cpu, used, stat] = await Promise.all([
    read(directories, isUnified ? 'cpu.stat' : 'cpuacct.usage'),
    read(directories, isUnified ? 'memory.current' : 'memory.usage_in_bytes'),
    read(directories, 'memory.stat'),
  ]);
  if (cpu === undefined || used === undefined || stat === undefined) return undefined;
  const inactive = fieldOf(stat, isUnified ? 'inactive_file' : 'total_inactive_file');
  return {
    cpuNs: isUnified ? fieldOf(cpu, 'usage_usec') * 1000 : Number(cpu),
    memoryBytes: Math.max(0, Number(used) - inactive),
  };
}

/** undefined: there is no such group any more. */
export async function readCgroupStats(directories: Directories): Promise<CgroupStats | undefined> {
  const usage = await readCgroupUsage(directories);
  if (usage === undefined) return undefined;
  const text = async (file: string) => (await read(directories, file)) ?? '';
  const isUnified = directories[0]?.controller === '';
  return {
    ...usage,
    ...(await (isUnified ? version2(text) : version1(text))),
    pids: { current: Number(await text('pids.current')), limit: limitOf(await text('pids.max')) },
    hugepages: await hugepages(directories),
  };
}

type Counted = Pick<CgroupStats, 'cpu' | 'memory' | 'io'>;

/** USER_HZ is 100 on every machine that Linux runs on but Alpha. */
const TICK_NS = 10_000_000;

async function version1(text: (file: string) => Promise<string>): Promise<Counted> {
  const [cpu, times] = [await text('cpu.stat'), await text('cpuacct.stat')];
  return {
    cpu: {
      userNs: fieldOf(times, 'user') * TICK_NS,
      systemNs: fieldOf(times, 'system') * TICK_NS,
      ...periodsOf(cpu),
      throttledNs: fieldOf(cpu, 'throttled_time'),
    },
    memory: {
      usedBytes: Number(await text('memory.usage_in_bytes')),
      limitBytes: limitOf(await text('memory.limit_in_bytes')),
      swapBytes: fieldOf(await text('memory.stat'), 'total_swap'),
    },
    io: perDevice({
      bytes: await text('blkio.throttle.io_service_bytes_recursive'),
      counts: await text('blkio.throttle.io_serviced_recursive'),
      words: ['Read', 'Write', 'Read', 'Write'],
    }),
  };
}

async function version2(text: (file: string) => Promise<string>): Promise<Counted> {
  const [cpu, io] = [await text('cpu.stat'), await text('io.stat')];
  return {
    cpu: {
      userNs: fieldOf(cpu, 'user_usec') * 1000,
      systemNs: fieldOf(cpu, 'system_usec') * 1000,
      ...periodsOf(cpu),
      throttledNs: fieldOf(cpu, 'throttled_usec') * 1000,
    },
    memory: {
      usedBytes: Number(await text('memory.current')),
      limitBytes: limitOf(await text('memory.max')),
      swapBytes: Number(await text('memory.swap.current')),
    },
    io: perDevice({ bytes: io, counts: io, words: ['rbytes', 'wbytes', 'rios', 'wios'] }),
  };
}

const periodsOf = (cpu: string) => ({
  periods: fieldOf(cpu, 'nr_periods'),
  throttledPeriods: fieldOf(cpu, 'nr_throttled'),
});

/** Lines as "254:0 Read 4096", or "254:0 rbytes=4096 wbytes=0". */
function perDevice(of: {
  readonly bytes: string;
  readonly counts: string;
  readonly words: readonly [string, string, string, string];
}): readonly CgroupIo[] {
  const { bytes, counts, words } = of;
  const devices = new Set(bytes.match(/^\d+:\d+(?= )/gm));
  return [...devices].map((device) => {
    const amount = (text: string, word: string) =>
      Number(new RegExp(`^${device} (?:.* )?${word}[ =](\\d+)`, 'm').exec(text)?.[1] ?? 0);
    return {
      device,
      readBytes: amount(bytes, words[0]),
      writtenBytes: amount(bytes, words[1]),
      reads: amount(counts, words[2]),
      writes: amount(counts, words[3]),
    };
  });
}

async function hugepages(directories: Directories): Promise<Readonly<Record<string, number>>> {
  const path = groupOf(directories, 'hugetlb')?.path;
  const files = path === undefined ? [] : await readdir(path);
  const sizes = files.flatMap((file) => {
    const [, size = ''] = /^hugetlb\.(\w+)\.(?:current|usage_in_bytes)$/.exec(file) ?? [];
    return size === '' ? [] : [[size, file] as const];
  });
  const used = sizes.map(
    async ([size, file]) => [size, Number(await read(directories, file))] as const,
  );
  return Object.fromEntries(await Promise.all(used));
}

/** The first part of a file's name is its controller's. */
async function read(directories: Directories, file: string): Promise<string | undefined> {
  const group = groupOf(directories, file.split('.', 1)[0] ?? '');
  return group && readIfPresent(readFile(join(group.path, file), 'utf8'));
}

/** Version 1 says "no limit" by a number near 2^63. */
function limitOf(text: string): number | undefined {
  const limit = Number(text);
  return text === '' || Number.isNaN(limit) || limit > 2 ** 62 ? undefined : limit;
}

const fieldOf = (text: string, name: string) =>
  Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
