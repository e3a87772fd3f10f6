import type { CgroupController } from '../kernel/cgroup-trees.ts';
import type { CgroupFile } from '../kernel/cgroups.ts';
import type { CgroupResources } from '../ports.ts';

/** The kernel refuses quotas under 1 ms; 100 ms is its default period. */
const CPU_PERIOD_US = 100_000;
const MIN_QUOTA_US = 1_000;
/** No machine has that much, and the kernel takes no more digits. */
const MAX_QUOTA_US = 1e12;
const MAX_BYTES = 2 ** 62;

/** Files and values that put these limits on a cgroup, in the order in which they are to be written. */
export function planCgroupFiles(resources: CgroupResources, version: 1 | 2): readonly CgroupFile[] {
  return version === 1 ? version1(resources) : version2(resources);
}

function version1(resources: CgroupResources): readonly CgroupFile[] {
  const { cpuLimitMilli, memoryLimitBytes, pidsLimit } = resources;
  const shares = cpuShares(resources.cpuRequestMilli ?? 0);
  return [
    file('cpu', 'cpu.shares', shares),
    ...(cpuLimitMilli === undefined
      ? []
      : [
          file('cpu', 'cpu.cfs_period_us', CPU_PERIOD_US),
          file('cpu', 'cpu.cfs_quota_us', quota(cpuLimitMilli)),
        ]),
    // The sum with swap must never be below the limit, so it is written second.
    ...(memoryLimitBytes === undefined
      ? []
      : [
          file('memory', 'memory.limit_in_bytes', bytes(memoryLimitBytes)),
          optional('memory', 'memory.memsw.limit_in_bytes', bytes(memoryLimitBytes)),
        ]),
    ...(pidsLimit === undefined ? [] : [file('pids', 'pids.max', pidsLimit)]),
  ];
}

/** oom.group: a container that lost one process to the limit is not half alive. */
function version2(resources: CgroupResources): readonly CgroupFile[] {
  const { cpuLimitMilli, memoryLimitBytes, pidsLimit } = resources;
  const weight = cpuWeight(cpuShares(resources.cpuRequestMilli ?? 0));
  return [
    file('cpu', 'cpu.weight', weight),
    ...(cpuLimitMilli === undefined
      ? []
      : [file('cpu', 'cpu.max', `${quota(cpuLimitMilli)} ${CPU_PERIOD_US}`)]),
    ...(memoryLimitBytes === undefined
      ? []
      : [
          file('memory', 'memory.max', bytes(memoryLimitBytes)),
          optional('memory', 'memory.swap.max', 0),
          optional('memory', 'memory.oom.group', 1),
        ]),
    ...(pidsLimit === undefined ? [] : [file('pids', 'pids.max', pidsLimit)]),
  ];
}

function quota(milli: number): number {
  const us = Math.round((milli * CPU_PERIOD_US) / 1000);
  return Math.min(MAX_QUOTA_US, Math.max(MIN_QUOTA_US, us));
}

const bytes = (limit: number) => Math.min(MAX_BYTES, limit);

/** As the kubelet: 1 core = 1024 shares, never under 2. */
function cpuShares(milli: number): number {
  return Math.min(262_144, Math.max(2, Math.floor((milli * 1024) / 1000)));
}

/** Kubernetes' linear conversion: [2, 262144] → [1, 10000]. */
function cpuWeight(shares: number): number {
  return 1 + Math.floor(((shares - 2) * 9_999) / 262_142);
}

function file(controller: CgroupController, name: string, value: number | string): CgroupFile {
  return { controller, file: name, value: String(value), optional: false };
}

function optional(controller: CgroupController, name: string, value: number): CgroupFile {
  return { controller, file: name, value: String(value), optional: true };
}
