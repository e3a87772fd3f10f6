import type { CgroupFile, CgroupPlan } from '../kernel/cgroups.ts';
import { defaultDevices, deviceFilter, deviceLines } from './device-filter.ts';
import { OciError } from './oci-error.ts';
import type { OciResources } from './oci-spec.ts';

/**
 * What is to be written into a cgroup, in order. `devices`: what may be used beyond the default ones; empty, nothing else;
 * undefined, whatever could be before. Engines write 0 for most of what nobody asked for. Throws OciError, also for what
 * this version of cgroups hasn't got.
 */
export function planCgroup(resources: OciResources, version: 1 | 2): CgroupPlan {
  refuseAbsent(resources, version);
  const { devices } = resources;
  const rules = devices && [...devices, ...defaultDevices];
  const rows = version === 1 ? version1(resources) : version2(resources);
  const lines = version === 1 && rules ? deviceLines(rules) : [];
  return {
    files: [...rows, ...lines.map((line): Row => ['devices', ...line])].flatMap(toFile),
    deviceFilter: version === 2 && rules ? deviceFilter(rules) : undefined,
  };
}

/** Field of linux.resources, file, value. */
type Row = readonly [string, string, Value, Pick<CgroupFile, 'optional' | 'notBelow'>?];
type Value = string | number | bigint | undefined;

function toFile([field, file, value, more]: Row): readonly CgroupFile[] {
  if (value === undefined) return [];
  return [{ field: `linux.resources.${field}`, file, value: String(value), ...more }];
}

type Cpu = NonNullable<OciResources['cpu']>;
type Memory = NonNullable<OciResources['memory']>;

function version1(resources: OciResources): readonly Row[] {
  const { cpu = {}, memory = {}, blockIO = {}, network = {} } = resources;
  return [
    ['cpu.idle', 'cpu.idle', cpu.idle],
    ['cpu.shares', 'cpu.shares', shares(cpu)],
    ['cpu.period', 'cpu.cfs_period_us', nonZero(cpu.period)],
    ['cpu.quota', 'cpu.cfs_quota_us', nonZero(cpu.quota)],
    ['cpu.burst', 'cpu.cfs_burst_us', cpu.burst],
    ['cpu.realtimePeriod', 'cpu.rt_period_us', nonZero(cpu.realtimePeriod)],
    ['cpu.realtimeRuntime', 'cpu.rt_runtime_us', nonZero(cpu.realtimeRuntime)],
    [
      'memory.limit',
      'memory.limit_in_bytes',
      nonZero(memory.limit),
      inUse(memory, 'usage_in_bytes'),
    ],
    ['memory.swap', 'memory.memsw.limit_in_bytes', swapSum(memory), uncounted(memory)],
    ['memory.reservation', 'memory.soft_limit_in_bytes', nonZero(memory.reservation)],
    ['memory.kernelTCP', 'memory.kmem.tcp.limit_in_bytes', nonZero(memory.kernelTCP)],
    ['memory.swappiness', 'memory.swappiness', memory.swappiness],
    ['memory.disableOOMKiller', 'memory.oom_control', bit(memory.disableOOMKiller)],
    ['memory.useHierarchy', 'memory.use_hierarchy', bit(memory.useHierarchy)],
    ...bothVersions(resources, 'limit_in_bytes'),
    ['blockIO.weight', 'blkio.bfq.weight', nonZero(blockIO.weight)],
    ...deviceWeights(resources, 'blkio.bfq.weight_device', (weight) => weight),
    ...throttles(resources, ({ file, device, rate }) => [
      `blkio.throttle.${file}`,
      `${device} ${rate}`,
    ]),
    ['network.classID', 'net_cls.classid', nonZero(network.classID)],
    ...(network.priorities ?? []).map(({ name, priority }, at): Row => {
      return [`network.priorities[${at}]`, 'net_prio.ifpriomap', `${name} ${priority}`];
    }),
  ];
}

function version2(resources: OciResources): readonly Row[] {
  const { cpu = {}, memory = {}, blockIO = {}, unified = {} } = resources;
  return [
    ['cpu.idle', 'cpu.idle', cpu.idle],
    ['cpu.shares', 'cpu.weight', mapped(shares(cpu), cpuWeight)],
    [nonZero(cpu.quota) ? 'cpu.quota' : 'cpu.period', 'cpu.max', cpuMax(cpu)],
    ['cpu.burst', 'cpu.max.burst', cpu.burst],
    ['memory.limit', 'memory.max', maximum(memory.limit), inUse(memory, 'current')],
    ['memory.swap', 'memory.swap.max', swapBeyond(memory), uncounted(memory)],
    ['memory.reservation', 'memory.low', maximum(memory.reservation)],
    ...bothVersions(resources, 'max'),
    ['blockIO.weight', 'io.weight', mapped(nonZero(blockIO.weight), ioWeight)],
    ...deviceWeights(resources, 'io.weight', ioWeight),
    ...throttles(resources, ({ key, device, rate }) => [
      'io.max',
      `${device} ${key}=${rate || 'max'}`,
    ]),
    ...Object.entries(unified).map(([file, value]): Row => {
      const field = `unified[${file}]`;
      // Whatever names a process would move it here.
      if (!/^[a-z_]+(\.\w+)+$/.test(file) || /^cgroup\.(procs|threads)$/.test(file))
        throw new OciError(`linux.resources.${field}`, 'invalid', 'not a file of a controller');
      return [field, file, value];
    }),
  ];
}

function bothVersions(
  { cpu = {}, pids, hugepageLimits = [], rdma = {} }: OciResources,
  suffix: string,
): readonly Row[] {
  return [
    ['cpu.cpus', 'cpuset.cpus', cpu.cpus || undefined],
    ['cpu.mems', 'cpuset.mems', cpu.mems || undefined],
    ['pids.limit', 'pids.max', pids?.limit === undefined || pids.limit > 0 ? pids?.limit : 'max'],
    ...hugepageLimits.map(({ pageSize, limit }, at): Row => {
      const field = `hugepageLimits[${at}]`;
      if (!/^\d+[KMG]B$/.test(pageSize))
        throw new OciError(`linux.resources.${field}.pageSize`, 'invalid', 'not a size as "2MB"');
      return [field, `hugetlb.${pageSize}.${suffix}`, limit];
    }),
    ...Object.entries(rdma).map(([device, { hcaHandles = 'max', hcaObjects = 'max' }]): Row => {
      const value = `${device} hca_handle=${hcaHandles} hca_object=${hcaObjects}`;
      return [`rdma[${device}]`, 'rdma.max', value];
    }),
  ];
}

const throttleFiles = [
  ['throttleReadBpsDevice', 'read_bps_device', 'rbps'],
  ['throttleWriteBpsDevice', 'write_bps_device', 'wbps'],
  ['throttleReadIOPSDevice', 'read_iops_device', 'riops'],
  ['throttleWriteIOPSDevice', 'write_iops_device', 'wiops'],
] as const;

function throttles(
  { blockIO = {} }: OciResources,
  write: (one: {
    file: string;
    key: string;
    device: string;
    rate: number | bigint;
  }) => [string, string],
): readonly Row[] {
  return throttleFiles.flatMap(([field, file, key]) =>
    (blockIO[field] ?? []).map(({ major, minor, rate }, at): Row => {
      return [
        `blockIO.${field}[${at}]`,
        ...write({ file, key, device: `${major}:${minor}`, rate }),
      ];
    }),
  );
}

function deviceWeights(
  { blockIO = {} }: OciResources,
  file: string,
  convert: (weight: number) => number,
): readonly Row[] {
  return (blockIO.weightDevice ?? []).map(({ major, minor, weight }, at) => {
    const value = weight ? `${major}:${minor} ${convert(weight)}` : undefined;
    return [`blockIO.weightDevice[${at}]`, file, value];
  });
}

/** The kernel refuses a weight for an idle group. */
const shares = (cpu: Cpu) => (cpu.idle === 1 ? undefined : nonZero(cpu.shares));

/** Kubernetes' linear conversion: [2, 262144] → [1, 10000]. */
function cpuWeight(wanted: number | bigint): number {
  const bounded = Math.min(262_144, Math.max(2, Number(wanted)));
  return 1 + Math.floor(((bounded - 2) * 9_999) / 262_142);
}

/** [10, 1000] → [1, 10000]. */
const ioWeight = (weight: number) => 1 + Math.floor(((Math.max(10, weight) - 10) * 9_999) / 990);

/** A quota alone leaves the period as it is. */
function cpuMax(cpu: Cpu): Value {
  const period = nonZero(cpu.period);
  const quota = maximum(cpu.quota);
  return period === undefined ? quota : `${quota ?? 'max'} ${period}`;
}

/** `swap` is memory and swap together; who lifts the limit of memory alone must have this lifted, too. */
function swapSum({ limit, swap }: Memory): number | undefined {
  if (!swap) return limit === -1 ? -1 : undefined;
  if (swap > 0 && limit && (limit < 0 || swap < limit))
    throw swapError('is less than the limit of memory');
  return swap;
}

function swapBeyond(memory: Memory): Value {
  const sum = swapSum(memory);
  if (sum === undefined || sum < 0) return maximum(sum);
  if (!memory.limit) throw swapError('means nothing without a limit of memory');
  return sum - memory.limit;
}

const swapError = (why: string) => new OciError('linux.resources.memory.swap', 'invalid', why);

/** No swap at all: a kernel that doesn't count it can't be told so. */
const uncounted = ({ limit, swap }: Memory) => ({ optional: !swap || swap === limit });

function inUse({ limit = 0, checkBeforeUpdate }: Memory, file: string) {
  return checkBeforeUpdate && limit > 0 ? { notBelow: `memory.${file}` } : {};
}

function maximum(limit: number | undefined): Value {
  return limit && limit < 0 ? 'max' : nonZero(limit);
}

const nonZero = <T extends number | bigint>(value: T | undefined) => value || undefined;
const bit = (on: boolean | undefined) => (on === undefined ? undefined : Number(on));
const mapped = <T, R>(value: T | undefined, change: (value: T) => R) =>
  value === undefined ? undefined : change(value);

/** Both kernels have lost limits of kernel memory (5.16) and the weights of leaves (5.0). */
function refuseAbsent(resources: OciResources, version: 1 | 2): void {
  const { cpu = {}, memory = {}, blockIO = {}, network = {}, unified } = resources;
  const leaves = [blockIO, ...(blockIO.weightDevice ?? [])].some((each) => each.leafWeight);
  const always = { 'memory.kernel': (memory.kernel ?? 0) > 0, 'blockIO.leafWeight': leaves };
  const absent =
    version === 1
      ? { ...always, unified: Object.keys(unified ?? {}).length > 0 }
      : {
          ...always,
          'cpu.realtimePeriod': cpu.realtimePeriod,
          'cpu.realtimeRuntime': cpu.realtimeRuntime,
          'memory.kernelTCP': memory.kernelTCP,
          'memory.swappiness': memory.swappiness !== undefined,
          'memory.disableOOMKiller': memory.disableOOMKiller,
          'memory.useHierarchy': memory.useHierarchy === false,
          'network.classID': network.classID,
          'network.priorities': network.priorities?.length,
        };
  for (const [field, asked] of Object.entries(absent))
    if (asked)
      throw new OciError(
        `linux.resources.${field}`,
        'missing in this kernel',
        `not in version ${version} of cgroups`,
      );
}
