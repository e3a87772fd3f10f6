import type { CgroupFile, CgroupPlan } from '../kernel/cgroups.ts';
import { defaultDevices, deviceFilter, deviceLines } from './device-filter.ts';
import { OciError } from './oci-error.ts';
import type { OciResources } from './oci-spec.ts';

/**
 * What is to be written into a cgroup, in order. `devices`: what may be used beyond the default ones; empty, nothing else;
 * undefined, whatever could be before. Engines write 0 for most of what nobody asked for. Throws OciError, also for what
 * this version of cgroups hasn't got.
 */
export function planCgroup(resources: OciResources, version: Version): CgroupPlan {
  const { devices } = resources;
  const rules = devices && [...devices, ...defaultDevices];
  const lines = version === 1 && rules ? deviceLines(rules) : [];
  const rows = [
    ...cpuRows(resources, version),
    ...memoryRows(resources, version),
    ...blockRows(resources, version),
    ...otherRows(resources),
    ...lines.map(([file, value]): Row => ['devices', value, file, ABSENT]),
  ];
  return {
    files: rows.flatMap((row) => toFile(row, version)),
    deviceFilter: version === 2 && rules ? deviceFilter(rules) : undefined,
  };
}

type Version = 1 | 2;

/** Field of linux.resources, value, its file in version 1 and in version 2. */
type Row = readonly [string, Value, File, File, Partial<CgroupFile>?];
type Value = string | number | bigint | undefined;
type File = string | undefined;
const ABSENT = undefined;

function toFile([name, value, one, two, more]: Row, version: Version): readonly CgroupFile[] {
  if (value === undefined) return [];
  const field = `linux.resources.${name}`;
  const file = version === 1 ? one : two;
  if (file === ABSENT)
    throw new OciError(field, 'missing in this kernel', `not in version ${version} of cgroups`);
  // Some come from the configuration; what is written to the one that lists processes would move one.
  if (!/^[a-z_]+(\.\w+)+$/.test(file) || /^cgroup\.(procs|threads)$/.test(file))
    throw new OciError(field, 'invalid', `"${file}" is no limit`);
  const isMaximum =
    typeof value !== 'string' && value < 0 && (version === 2 || file === 'pids.max');
  return [{ field, file, value: isMaximum ? 'max' : String(value), ...more }];
}

function cpuRows({ cpu = {} }: OciResources, version: Version): readonly Row[] {
  // The kernel refuses a weight for an idle group.
  const shares = cpu.idle === 1 ? undefined : nonZero(cpu.shares);
  const weight = shares && cpuWeight(Number(shares));
  const [period, quota] = [nonZero(cpu.period), nonZero(cpu.quota)];
  const both = period && `${quota && quota > 0 ? quota : 'max'} ${period}`;
  return [
    ['cpu.idle', cpu.idle, 'cpu.idle', 'cpu.idle'],
    ['cpu.shares', version === 1 ? shares : weight, 'cpu.shares', 'cpu.weight'],
    ['cpu.period', version === 1 ? period : both, 'cpu.cfs_period_us', 'cpu.max'],
    ['cpu.quota', version === 2 && period ? undefined : quota, 'cpu.cfs_quota_us', 'cpu.max'],
    ['cpu.burst', cpu.burst, 'cpu.cfs_burst_us', 'cpu.max.burst'],
    ['cpu.realtimePeriod', nonZero(cpu.realtimePeriod), 'cpu.rt_period_us', ABSENT],
    ['cpu.realtimeRuntime', nonZero(cpu.realtimeRuntime), 'cpu.rt_runtime_us', ABSENT],
    ['cpu.cpus', cpu.cpus || undefined, 'cpuset.cpus', 'cpuset.cpus'],
    ['cpu.mems', cpu.mems || undefined, 'cpuset.mems', 'cpuset.mems'],
  ];
}

/** Kubernetes' linear conversion: [2, 262144] → [1, 10000]. */
function cpuWeight(shares: number): number {
  const bounded = Math.min(262_144, Math.max(2, shares));
  return 1 + Math.floor(((bounded - 2) * 9_999) / 262_142);
}

/** The kernel has lost the limit of its own memory (5.16), and the choice not to count what is below (5.11). */
function memoryRows({ memory = {} }: OciResources, version: Version): readonly Row[] {
  const { limit, reservation, swap, kernel = 0, kernelTCP, swappiness } = memory;
  const usage = version === 1 ? 'memory.usage_in_bytes' : 'memory.current';
  const check = memory.checkBeforeUpdate && limit && limit > 0 ? { notBelow: usage } : {};
  // A kernel that doesn't count swap can't be told that there is none.
  const optional = !swap || swap === limit;
  const unkilled = memory.disableOOMKiller || version === 1 ? memory.disableOOMKiller : undefined;
  const noHierarchy = memory.useHierarchy === false ? 0 : undefined;
  return [
    ['memory.limit', nonZero(limit), 'memory.limit_in_bytes', 'memory.max', check],
    ['memory.swap', swapLimit(memory, version), ...swapFiles, { optional }],
    ['memory.reservation', nonZero(reservation), 'memory.soft_limit_in_bytes', 'memory.low'],
    ['memory.kernel', kernel > 0 ? kernel : undefined, ABSENT, ABSENT],
    ['memory.kernelTCP', nonZero(kernelTCP), 'memory.kmem.tcp.limit_in_bytes', ABSENT],
    ['memory.swappiness', swappiness, 'memory.swappiness', ABSENT],
    [
      'memory.disableOOMKiller',
      unkilled === undefined ? unkilled : Number(unkilled),
      'memory.oom_control',
      ABSENT,
    ],
    ['memory.useHierarchy', noHierarchy, ABSENT, ABSENT],
  ];
}

const swapFiles = ['memory.memsw.limit_in_bytes', 'memory.swap.max'] as const;

type Memory = NonNullable<OciResources['memory']>;

/** `swap` is the sum with memory, as in version 1; who lifts the limit of memory alone needs this lifted, too. */
function swapLimit({ limit, swap }: Memory, version: Version): number | undefined {
  if (!swap) return limit === -1 ? -1 : undefined;
  const known = limit && limit > 0;
  if (swap > 0 && (known ? swap < limit : limit || version === 2))
    throw new OciError(
      'linux.resources.memory.swap',
      'invalid',
      'is below the limit of memory, or there is none',
    );
  return version === 1 || swap < 0 ? swap : swap - (limit ?? 0);
}

const throttles = [
  ['throttleReadBpsDevice', 'read_bps_device', 'rbps'],
  ['throttleWriteBpsDevice', 'write_bps_device', 'wbps'],
  ['throttleReadIOPSDevice', 'read_iops_device', 'riops'],
  ['throttleWriteIOPSDevice', 'write_iops_device', 'wiops'],
] as const;

/** Weights of leaves have gone from the kernel (5.0). */
function blockRows({ blockIO = {} }: OciResources, version: Version): readonly Row[] {
  const weight = (given: number | undefined) =>
    given && (version === 1 ? given : 1 + Math.floor(((Math.max(10, given) - 10) * 9_999) / 990));
  return [
    ['blockIO.weight', weight(nonZero(blockIO.weight)), 'blkio.bfq.weight', 'io.weight'],
    ['blockIO.leafWeight', nonZero(blockIO.leafWeight), ABSENT, ABSENT],
    ...(blockIO.weightDevice ?? []).flatMap(({ major, minor, ...each }, at): readonly Row[] => {
      const field = `blockIO.weightDevice[${at}]`;
      const value = each.weight && `${major}:${minor} ${weight(each.weight)}`;
      return [
        [`${field}.weight`, value || undefined, 'blkio.bfq.weight_device', 'io.weight'],
        [`${field}.leafWeight`, nonZero(each.leafWeight), ABSENT, ABSENT],
      ];
    }),
    ...throttles.flatMap(([name, file, key]) =>
      (blockIO[name] ?? []).map(({ major, minor, rate }, at): Row => {
        const value = version === 1 ? rate : `${key}=${rate || 'max'}`;
        return [
          `blockIO.${name}[${at}]`,
          `${major}:${minor} ${value}`,
          `blkio.throttle.${file}`,
          'io.max',
        ];
      }),
    ),
  ];
}

function otherRows(resources: OciResources): readonly Row[] {
  const { pids, hugepageLimits = [], rdma = {}, network = {}, unified = {} } = resources;
  return [
    ['pids.limit', nonZero(pids?.limit), 'pids.max', 'pids.max'],
    ...hugepageLimits.map(({ pageSize, limit }, at): Row => {
      const file = `hugetlb.${pageSize}`;
      return [`hugepageLimits[${at}]`, limit, `${file}.limit_in_bytes`, `${file}.max`];
    }),
    ...Object.entries(rdma).map(([device, { hcaHandles = 'max', hcaObjects = 'max' }]): Row => {
      const value = `${device} hca_handle=${hcaHandles} hca_object=${hcaObjects}`;
      return [`rdma[${device}]`, value, 'rdma.max', 'rdma.max'];
    }),
    ['network.classID', nonZero(network.classID), 'net_cls.classid', ABSENT],
    ...(network.priorities ?? []).map(({ name, priority }, at): Row => {
      return [`network.priorities[${at}]`, `${name} ${priority}`, 'net_prio.ifpriomap', ABSENT];
    }),
    ...Object.entries(unified).map(
      ([file, value]): Row => [`unified[${file}]`, value, ABSENT, file],
    ),
  ];
}

const nonZero = <T extends number | bigint>(value: T | undefined) => value || undefined;
