import { readdirSync, readFileSync } from 'node:fs';
import type { OciResources } from '../../agent/oci/oci-spec.ts';

const mib = 2 ** 20;
const [disk = '8:0'] = readdirSync('/sys/block')
  .filter((name) => !/^(loop|ram|zram)/.test(name))
  .map((name) => readFileSync(`/sys/block/${name}/dev`, 'utf8').trim());
const [major = 0, minor = 0] = disk.split(':').map(Number);
const throttle = (rate: number) => [{ major, minor, rate }];

/** Fields of linux.resources, and what files of version 1 or 2 then hold. */
export const limitRows: readonly [
  string,
  OciResources,
  Record<string, string>,
  Record<string, string>,
][] = [
  ['cpu.shares', { cpu: { shares: 512 } }, { 'cpu.shares': '512' }, { 'cpu.weight': '20' }],
  [
    'cpu.quota and cpu.period',
    { cpu: { quota: 25_000, period: 50_000 } },
    { 'cpu.cfs_quota_us': '25000', 'cpu.cfs_period_us': '50000' },
    { 'cpu.max': '25000 50000' },
  ],
  [
    'cpu.burst',
    { cpu: { quota: 20_000, burst: 10_000 } },
    { 'cpu.cfs_quota_us': '20000', 'cpu.cfs_burst_us': '10000' },
    { 'cpu.max': '20000 100000', 'cpu.max.burst': '10000' },
  ],
  ['cpu.idle', { cpu: { idle: 1, shares: 7 } }, { 'cpu.idle': '1' }, { 'cpu.idle': '1' }],
  [
    'cpu.cpus and cpu.mems',
    { cpu: { cpus: '0', mems: '0' } },
    { 'cpuset.cpus': '0', 'cpuset.mems': '0' },
    { 'cpuset.cpus': '0', 'cpuset.mems': '0' },
  ],
  [
    'memory.limit, memory.swap and memory.reservation',
    { memory: { limit: 64 * mib, swap: 96 * mib, reservation: 32 * mib } },
    {
      'memory.limit_in_bytes': '67108864',
      'memory.memsw.limit_in_bytes': '100663296',
      'memory.soft_limit_in_bytes': '33554432',
    },
    { 'memory.max': '67108864', 'memory.swap.max': '33554432', 'memory.low': '33554432' },
  ],
  [
    'pids.limit and blockIO.throttle…',
    {
      pids: { limit: 9 },
      blockIO: {
        throttleReadBpsDevice: throttle(10 * mib),
        throttleWriteBpsDevice: throttle(20 * mib),
        throttleReadIOPSDevice: throttle(30),
        throttleWriteIOPSDevice: throttle(40),
      },
    },
    {
      'pids.max': '9',
      'blkio.throttle.read_bps_device': `${disk} 10485760`,
      'blkio.throttle.write_bps_device': `${disk} 20971520`,
      'blkio.throttle.read_iops_device': `${disk} 30`,
      'blkio.throttle.write_iops_device': `${disk} 40`,
    },
    { 'pids.max': '9', 'io.max': `${disk} rbps=10485760 wbps=20971520 riops=30 wiops=40` },
  ],
];
