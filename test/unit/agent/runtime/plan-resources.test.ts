import { expect, it } from 'vitest';
import { planCgroup } from '../../../../agent/oci/plan-cgroup.ts';
import type { CgroupResources } from '../../../../agent/ports.ts';
import { planResources } from '../../../../agent/runtime/plan-resources.ts';
import { noLimits } from '../../../support/container-spec.ts';

const limits = {
  cpuRequestMilli: 250,
  cpuLimitMilli: 1500,
  memoryLimitBytes: 67_108_864,
  pidsLimit: 100,
};
const written = (resources: CgroupResources, version: 1 | 2) =>
  planCgroup(planResources(resources, version), version).files.map(
    ({ file, value, optional }) => `${file}=${value}${optional ? '?' : ''}`,
  );

it('writes version 1 files, the sum of memory and swap after memory', () => {
  expect(written(limits, 1)).toEqual([
    'cpu.shares=256',
    'cpu.cfs_period_us=100000',
    'cpu.cfs_quota_us=150000',
    'memory.limit_in_bytes=67108864',
    'memory.memsw.limit_in_bytes=67108864?',
    'pids.max=100',
  ]);
});

it('writes version 2 files, without swap', () => {
  expect(written(limits, 2)).toEqual([
    'cpu.weight=10',
    'cpu.max=150000 100000',
    'memory.max=67108864',
    'memory.swap.max=0?',
    'pids.max=100',
    'memory.oom.group=1',
  ]);
});

it('gives the lowest weight, and no limit, to what asks for nothing', () => {
  expect(written(noLimits, 1)).toEqual(['cpu.shares=2']);
  expect(written(noLimits, 2)).toEqual(['cpu.weight=1']);
});

it('keeps to the kernel’s bounds', () => {
  const extreme = { ...noLimits, cpuRequestMilli: 10_000_000, cpuLimitMilli: 1 };
  expect(written(extreme, 1)).toContain('cpu.shares=262144');
  expect(written(extreme, 2)).toContain('cpu.weight=10000');
  expect(written(extreme, 1)).toContain('cpu.cfs_quota_us=1000');
  const absurd = { ...noLimits, cpuLimitMilli: 1e33, memoryLimitBytes: 1e30 };
  expect(written(absurd, 2)).toContain('cpu.max=1000000000000 100000');
  expect(written(absurd, 2)).toContain('memory.max=9007199254740991');
});
