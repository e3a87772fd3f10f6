import type { CgroupResources } from '../ports.ts';

export type CgroupController = 'cpu' | 'memory' | 'pids';

export interface CgroupFile {
  readonly controller: CgroupController;
  readonly file: string;
  readonly value: string;
}

/** The kernel refuses quotas under 1 ms; 100 ms is its default period. */
const CPU_PERIOD_US = 100_000;
const MIN_QUOTA_US = 1_000;

/** Files and values that put these limits on a cgroup, in the order in which they are to be written. */
export function planCgroupFiles(resources: CgroupResources, version: 1 | 2): readonly CgroupFile[] {
  return version === 1 ? version1(resources) : version2(resources);
}

function version1(resources: CgroupResources): readonly CgroupFile[] {
  const { cpuLimitMilli, memoryLimitBytes, pidsLimit } = resources;
  const shares = cpuShares(resources.cpuRequestMilli ?? 0);
  return [
    { controller: 'cpu', file: 'cpu.shares', value: String(shares) },
    ...(cpuLimitMilli === undefined
      ? []
      : [
          { controller: 'cpu', file: 'cpu.cfs_period_us', value: String(CPU_PERIOD_US) } as const,
          { controller: 'cpu', file: 'cpu.cfs_quota_us', value: quota(cpuLimitMilli) } as const,
        ]),
    ...(memoryLimitBytes === undefined ? [] : memory1(memoryLimitBytes)),
    ...(pidsLimit === undefined ? [] : [pids(pidsLimit)]),
  ];
}

/** memsw must never be below limit, so it is written second; its file is absent where swap accounting is off. */
function memory1(limitBytes: number): readonly CgroupFile[] {
  const value = String(limitBytes);
  return [
    { controller: 'memory', file: 'memory.limit_in_bytes', value },
    { controller: 'memory', file: 'memory.memsw.limit_in_bytes', value },
  ];
}

function version2(resources: CgroupResources): readonly CgroupFile[] {
  const { cpuLimitMilli, memoryLimitBytes, pidsLimit } = resources;
  const weight = cpuWeight(cpuShares(resources.cpuRequestMilli ?? 0));
  return [
    { controller: 'cpu', file: 'cpu.weight', value: String(weight) },
    ...(cpuLimitMilli === undefined
      ? []
      : [
          {
            controller: 'cpu',
            file: 'cpu.max',
            value: `${quota(cpuLimitMilli)} ${CPU_PERIOD_US}`,
          } as const,
        ]),
    ...(memoryLimitBytes === undefined
      ? []
      : [
          { controller: 'memory', file: 'memory.max', value: String(memoryLimitBytes) } as const,
          { controller: 'memory', file: 'memory.swap.max', value: '0' } as const,
          { controller: 'memory', file: 'memory.oom.group', value: '1' } as const,
        ]),
    ...(pidsLimit === undefined ? [] : [pids(pidsLimit)]),
  ];
}

/** Absent where the kernel was built or booted without it: no reason not to start. */
export const optionalCgroupFiles: ReadonlySet<string> = new Set([
  'memory.memsw.limit_in_bytes',
  'memory.swap.max',
  'memory.oom.group',
]);

function quota(milli: number): string {
  return String(Math.max(MIN_QUOTA_US, Math.round((milli * CPU_PERIOD_US) / 1000)));
}

/** As the kubelet: 1 core = 1024 shares, never under 2. */
function cpuShares(milli: number): number {
  return Math.min(262_144, Math.max(2, Math.floor((milli * 1024) / 1000)));
}

/** Kubernetes' linear conversion: [2, 262144] → [1, 10000]. */
function cpuWeight(shares: number): number {
  return 1 + Math.floor(((shares - 2) * 9_999) / 262_142);
}

function pids(limit: number): CgroupFile {
  return { controller: 'pids', file: 'pids.max', value: String(limit) };
}
