import { describe, expect, it } from 'vitest';
import type { OciResources } from '../../../../agent/oci/oci-spec.ts';
import { planCgroup } from '../../../../agent/oci/plan-cgroup.ts';

const written = (resources: OciResources, version: 1 | 2) =>
  planCgroup(resources, version).files.map(
    ({ field, file, value }) => `${field.replace('linux.resources.', '')}: ${file}=${value}`,
  );

const rate = [{ major: 8, minor: 16, rate: 1_048_576 }];
const everything: OciResources = {
  cpu: { shares: 1024, quota: 50_000, period: 100_000, burst: 1_000, cpus: '0-1', mems: '0' },
  memory: { limit: 2 ** 30, swap: 3 * 2 ** 30, reservation: 2 ** 29 },
  pids: { limit: -1 },
  blockIO: {
    weight: 10,
    weightDevice: [{ major: 8, minor: 0, weight: 1000 }],
    throttleReadBpsDevice: rate,
    throttleWriteIOPSDevice: rate,
  },
  hugepageLimits: [{ pageSize: '2MB', limit: 2n ** 63n }],
  rdma: { mlx5_1: { hcaHandles: 3 } },
};

it('has a file of version 1 for each limit', () => {
  expect(written(everything, 1)).toEqual([
    'cpu.shares: cpu.shares=1024',
    'cpu.period: cpu.cfs_period_us=100000',
    'cpu.quota: cpu.cfs_quota_us=50000',
    'cpu.burst: cpu.cfs_burst_us=1000',
    'cpu.cpus: cpuset.cpus=0-1',
    'cpu.mems: cpuset.mems=0',
    'memory.limit: memory.limit_in_bytes=1073741824',
    'memory.swap: memory.memsw.limit_in_bytes=3221225472',
    'memory.reservation: memory.soft_limit_in_bytes=536870912',
    'blockIO.weight: blkio.bfq.weight=10',
    'blockIO.weightDevice[0].weight: blkio.bfq.weight_device=8:0 1000',
    'blockIO.throttleReadBpsDevice[0]: blkio.throttle.read_bps_device=8:16 1048576',
    'blockIO.throttleWriteIOPSDevice[0]: blkio.throttle.write_iops_device=8:16 1048576',
    'pids.limit: pids.max=max',
    'hugepageLimits[0]: hugetlb.2MB.limit_in_bytes=9223372036854775808',
    'rdma[mlx5_1]: rdma.max=mlx5_1 hca_handle=3 hca_object=max',
  ]);
});

it('has a file of version 2 for each limit, with the values of version 2', () => {
  expect(written({ ...everything, unified: { 'memory.high': '1G' } }, 2)).toEqual([
    'cpu.shares: cpu.weight=39',
    'cpu.period: cpu.max=50000 100000',
    'cpu.burst: cpu.max.burst=1000',
    'cpu.cpus: cpuset.cpus=0-1',
    'cpu.mems: cpuset.mems=0',
    'memory.limit: memory.max=1073741824',
    'memory.swap: memory.swap.max=2147483648',
    'memory.reservation: memory.low=536870912',
    'blockIO.weight: io.weight=1',
    'blockIO.weightDevice[0].weight: io.weight=8:0 10000',
    'blockIO.throttleReadBpsDevice[0]: io.max=8:16 rbps=1048576',
    'blockIO.throttleWriteIOPSDevice[0]: io.max=8:16 wiops=1048576',
    'pids.limit: pids.max=max',
    'hugepageLimits[0]: hugetlb.2MB.max=9223372036854775808',
    'rdma[mlx5_1]: rdma.max=mlx5_1 hca_handle=3 hca_object=max',
    'unified[memory.high]: memory.high=1G',
  ]);
});

const oneOrTwo: readonly [string, OciResources, string[], string[]][] = [
  ['no weight for an idle group', { cpu: { idle: 1, shares: 5 } }, ['cpu.idle=1'], ['cpu.idle=1']],
  [
    'a quota that is lifted',
    { cpu: { quota: -1, period: 50_000 } },
    ['cpu.cfs_period_us=50000', 'cpu.cfs_quota_us=-1'],
    ['cpu.max=max 50000'],
  ],
  ['a quota for the period that is', { cpu: { quota: 7 } }, ['cpu.cfs_quota_us=7'], ['cpu.max=7']],
  [
    'with the limit of memory that of its sum with swap is lifted',
    { memory: { limit: -1 } },
    ['memory.limit_in_bytes=-1', 'memory.memsw.limit_in_bytes=-1'],
    ['memory.max=max', 'memory.swap.max=max'],
  ],
  [
    'swap without end',
    { memory: { limit: 5, swap: -1 } },
    ['memory.limit_in_bytes=5', 'memory.memsw.limit_in_bytes=-1'],
    ['memory.max=5', 'memory.swap.max=max'],
  ],
  [
    'nothing for the zeros that engines write',
    {
      cpu: { shares: 0, quota: 0, period: 0, realtimePeriod: 0, realtimeRuntime: 0, cpus: '' },
      memory: { limit: 0, swap: 0, kernel: 0, kernelTCP: 0 },
      blockIO: { weight: 0, leafWeight: 0 },
      pids: { limit: 0 },
      network: { classID: 0 },
    },
    [],
    [],
  ],
];
it.each(oneOrTwo)('writes %s', (_, resources, one, two) => {
  const files = (version: 1 | 2) => written(resources, version).map((row) => row.split(': ')[1]);
  expect([files(1), files(2)]).toEqual([one, two]);
});

describe('what a version of cgroups lacks is refused by name', () => {
  const only1: readonly [string, OciResources][] = [
    ['cpu.realtimePeriod', { cpu: { realtimePeriod: 1_000 } }],
    ['cpu.realtimeRuntime', { cpu: { realtimeRuntime: 1_000 } }],
    ['memory.kernelTCP', { memory: { kernelTCP: 1 } }],
    ['memory.swappiness', { memory: { swappiness: 0 } }],
    ['memory.disableOOMKiller', { memory: { disableOOMKiller: true } }],
    ['network.classID', { network: { classID: 7 } }],
    ['network.priorities[0]', { network: { priorities: [{ name: 'eth0', priority: 1 }] } }],
  ];
  it.each(only1)('%s is version 1’s alone', (field, resources) => {
    expect(planCgroup(resources, 1).files).toHaveLength(1);
    expect(() => planCgroup(resources, 2)).toThrow(
      `linux.resources.${field}: not in version 2 of cgroups`,
    );
  });

  it('unified is version 2’s alone', () => {
    expect(() => planCgroup({ unified: { 'pids.max': '1' } }, 1)).toThrow(
      'linux.resources.unified[pids.max]: not in version 1 of cgroups',
    );
  });

  const neither: readonly [string, OciResources][] = [
    ['memory.kernel', { memory: { kernel: 1 } }],
    ['memory.useHierarchy', { memory: { useHierarchy: false } }],
    ['blockIO.leafWeight', { blockIO: { leafWeight: 1 } }],
    [
      'blockIO.weightDevice[0].leafWeight',
      { blockIO: { weightDevice: [{ major: 8, minor: 0, leafWeight: 1 }] } },
    ],
  ];
  it.each(neither)('%s is nobody’s', (field, resources) => {
    for (const version of [1, 2] as const)
      expect(() => planCgroup(resources, version)).toThrow(`linux.resources.${field}: not in`);
  });
});

const wrong: readonly [string, OciResources, 1 | 2, string][] = [
  ['a sum below the limit', { memory: { limit: 9, swap: 5 } }, 1, 'memory.swap: is below'],
  ['a sum of nothing', { memory: { swap: 5 } }, 2, 'memory.swap: is below the limit'],
  ['a page size that leads away', { hugepageLimits: [{ pageSize: '../x', limit: 1 }] }, 1, 'hugep'],
  ['a file that is elsewhere', { unified: { '../pids.max': '1' } }, 2, 'unified[../pids.max]: "'],
  ['a file that moves processes', { unified: { 'cgroup.procs': '1' } }, 2, 'unified[cgroup.procs]'],
];
it.each(wrong)('refuses %s', (_, resources, version, message) => {
  expect(() => planCgroup(resources, version)).toThrow(`linux.resources.${message}`);
});

it('leaves devices alone unless there are rules, and then begins with the default ones', () => {
  expect(planCgroup({}, 1)).toEqual({ files: [], deviceFilter: undefined });
  expect(planCgroup({}, 2).deviceFilter).toBeUndefined();
  expect(written({ devices: [] }, 1)).toEqual([
    'devices: devices.deny=a',
    'devices: devices.allow=b *:* m',
    'devices: devices.allow=c *:* m',
    ...[3, 5, 7, 8, 9].map((minor) => `devices: devices.allow=c 1:${minor} rwm`),
    'devices: devices.allow=c 5:0 rwm',
    'devices: devices.allow=c 5:2 rwm',
    'devices: devices.allow=c 136:* rwm',
  ]);
  expect(planCgroup({ devices: [] }, 2).files).toEqual([]);
  expect(planCgroup({ devices: [] }, 2).deviceFilter?.length).toBeGreaterThan(0);
});
