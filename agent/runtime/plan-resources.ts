import type { OciResources } from '../oci/oci-spec.ts';
import type { CgroupResources } from '../ports.ts';

/** The kernel refuses quotas under 1 ms; 100 ms is its default period. */
const CPU_PERIOD_US = 100_000;
const MIN_QUOTA_US = 1_000;
/** No machine has that much, and the kernel takes no more digits. */
const MAX_QUOTA_US = 1e12;
const MAX_BYTES = 2 ** 53 - 1;

/**
 * `linux.resources` of a container or a pod. No swap. On version 2 the kernel kills a group as a whole: a container that
 * lost one process to the limit is not half alive.
 */
export function planResources(resources: CgroupResources, version: 1 | 2): OciResources {
  const { cpuRequestMilli = 0, cpuLimitMilli, memoryLimitBytes, pidsLimit } = resources;
  const limit = memoryLimitBytes && Math.min(MAX_BYTES, memoryLimitBytes);
  return {
    cpu: {
      shares: cpuShares(cpuRequestMilli),
      ...(cpuLimitMilli !== undefined && { period: CPU_PERIOD_US, quota: quota(cpuLimitMilli) }),
    },
    ...(limit && {
      memory: { limit, swap: limit },
      ...(version === 2 && { unified: { 'memory.oom.group': '1' } }),
    }),
    ...(pidsLimit !== undefined && { pids: { limit: pidsLimit } }),
  };
}

function quota(milli: number): number {
  const us = Math.round((milli * CPU_PERIOD_US) / 1000);
  return Math.min(MAX_QUOTA_US, Math.max(MIN_QUOTA_US, us));
}

/** As the kubelet: 1 core = 1024 shares, never under 2. */
const cpuShares = (milli: number): number =>
  Math.min(262_144, Math.max(2, Math.floor((milli * 1024) / 1000)));
