import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCgroupTrees } from '../../../agent/kernel/cgroup-trees.ts';
import type { OciResources } from '../../../agent/oci/oci-spec.ts';
import { errorChain } from '../../../base/error-chain.ts';
import { limitRows } from '../../support/cgroup-limits.ts';
import { type CgroupWorld, openCgroupWorld } from '../../support/cgroup-world.ts';
import { waitFor } from '../../support/wait-for.ts';

const { version } = await findCgroupTrees();

let world: CgroupWorld;
beforeAll(async () => {
  world = await openCgroupWorld();
});
afterAll(() => world.end());

const mib = 2 ** 20;

it.each(limitRows)(
  'linux.resources.%s is what the kernel then says',
  async (_, resources, one, two) => {
    await world.ensure('rows', resources);
    const expected = world.cgroups.version === 1 ? one : two;
    const seen = Object.keys(expected).map((file) => [file, world.read('rows', file)]);
    expect(Object.fromEntries(seen)).toEqual(expected);
    await world.cgroups.remove('rows');
  },
);

const refused = /: linux\.resources\.\S+: this (host|kernel) has no /;

/** On this host: there as asked, or refused by its field. */
async function keptOrRefused(resources: OciResources, files: Record<string, string>) {
  const outcome = await world.ensure('maybe', resources).then(() => 'kept', errorChain);
  const seen = () => Object.keys(files).map((file) => [file, world.read('maybe', file)]);
  if (outcome === 'kept') expect(Object.fromEntries(seen())).toEqual(files);
  else expect(outcome).toMatch(refused);
  await world.cgroups.remove('maybe');
}

it('what not every host has is kept, or refused by its field', async () => {
  const hugepages = { hugepageLimits: [{ pageSize: '2MB', limit: 4 * mib }] };
  const weight = { blockIO: { weight: 321 } };
  if (version === 1) {
    await keptOrRefused(hugepages, { 'hugetlb.2MB.limit_in_bytes': String(4 * mib) });
    await keptOrRefused(weight, { 'blkio.bfq.weight': '321' });
    await keptOrRefused({ network: { classID: 1_048_577 } }, { 'net_cls.classid': '1048577' });
  } else {
    await keptOrRefused(hugepages, { 'hugetlb.2MB.max': String(4 * mib) });
    await keptOrRefused(weight, { 'io.weight': 'default 3142' });
  }
});

it('what no host has is refused by its field', async () => {
  const hugepageLimits = [{ pageSize: '3MB', limit: 4 * mib }];
  const outcome = await world.ensure('maybe', { hugepageLimits }).catch(errorChain);
  expect(outcome).toMatch(refused);
  await world.cgroups.remove('maybe');
});

describe.runIf(version === 1)('what version 1 alone has', () => {
  it('linux.resources.memory.swappiness, memory.kernelTCP and memory.disableOOMKiller', async () => {
    const memory = { swappiness: 7, kernelTCP: mib, disableOOMKiller: true };
    await world.ensure('only', { memory });
    expect(world.read('only', 'memory.swappiness')).toBe('7');
    expect(world.read('only', 'memory.kmem.tcp.limit_in_bytes')).toBe('1048576');
    expect(world.read('only', 'memory.oom_control')).toMatch('oom_kill_disable 1');
    await world.ensure('only', { memory: { disableOOMKiller: false } });
    expect(world.read('only', 'memory.oom_control')).toMatch('oom_kill_disable 0');
  });

  it('linux.resources.cpu.realtimeRuntime and cpu.realtimePeriod, within the parent’s', async () => {
    const cpu = { realtimePeriod: 1_000_000, realtimeRuntime: 1_000 };
    await expect(world.ensure('only', { cpu })).rejects.toThrow('making cgroup only');
    await world.ensure('', { cpu: { ...cpu, realtimeRuntime: 5_000 } });
    await world.ensure('only', { cpu });
    expect(world.read('only', 'cpu.rt_runtime_us')).toBe('1000');
  });
});

describe.runIf(version === 2)('what version 2 alone has', () => {
  it('linux.resources.unified', async () => {
    await world.ensure('only', { unified: { 'memory.high': '33554432', 'pids.max': '5' } });
    expect(world.read('only', 'memory.high')).toBe('33554432');
    expect(world.read('only', 'pids.max')).toBe('5');
    await expect(world.ensure('only', { unified: { 'pids.none': '1' } })).rejects.toThrow();
  });
});

describe('from inside', () => {
  it('a group takes the processors of the one above it, or those it is given', async () => {
    const allowed = "sed -n 's/^Cpus_allowed_list:\\t//p' /proc/self/status";
    await world.ensure('set/all', {});
    const all = readFileSync('/proc/self/status', 'utf8').match(/^Cpus_allowed_list:\t(.*)$/m)?.[1];
    expect(await world.run('set/all', allowed)).toBe(all);
    await world.ensure('set/one', { cpu: { cpus: '0', mems: '0' } });
    expect(await world.run('set/one', allowed)).toBe('0');
  });

  it('can’t have more processes than its limit', async () => {
    await world.ensure('few', { pids: { limit: 3 } });
    const script = 'for i in 1 2 3 4 5; do sleep 0.2 & done; wait';
    expect(await world.run('few', script)).toMatch(/fork/i);
  });
});

describe('an update in place', () => {
  it('lowers and raises memory with its sum, and a quota with its burst, in any order', async () => {
    for (const size of [64, 16, 128, 32]) {
      const memory = { limit: size * mib, swap: size * mib };
      await world.ensure('live', { memory, cpu: { quota: size * 1_000, burst: size * 1_000 } });
      const [memoryFile, quotaFile] =
        version === 1 ? ['memory.limit_in_bytes', 'cpu.cfs_quota_us'] : ['memory.max', 'cpu.max'];
      expect(world.read('live', memoryFile)).toBe(String(size * mib));
      expect(world.read('live', quotaFile)).toMatch(new RegExp(`^${size}000`));
    }
  });

  it('reaches what runs, which goes on', async () => {
    await world.ensure('live', { pids: { limit: 100 } });
    const child = world.start('live', 'exec sleep 1000');
    await waitFor('the sleeper', () => world.pids('live').includes(child.pid ?? 0));
    await world.ensure('live', { pids: { limit: 7 }, cpu: { shares: 99 } });
    expect(world.read('live', 'pids.max')).toBe('7');
    expect(world.pids('live')).toEqual([child.pid]);
    await world.cgroups.remove('live');
  });

  it('refuses to take memory away that is in use, if it is to check that', async () => {
    await world.ensure('used', { memory: { limit: 64 * mib } });
    const child = world.start('used', 'dd if=/dev/zero bs=21M count=1 | sleep 1000');
    await waitFor('20 MB', async () => ((await world.stats('used'))?.memoryBytes ?? 0) > 2e7);
    const memory = { limit: 4 * mib, checkBeforeUpdate: true };
    const outcome = await world.ensure('used', { memory }).catch(errorChain);
    expect(outcome).toMatch(/linux\.resources\.memory\.limit: .*\d{8,} is in use/);
    expect((await world.stats('used'))?.memoryLimitBytes).toBe(64 * mib);
    expect(child.exitCode).toBeNull();
    await world.cgroups.remove('used');
  });
});

it('tells what was used and held back', async () => {
  await world.ensure('busy', {
    cpu: { quota: 10_000, period: 100_000 },
    memory: { limit: 64 * mib, swap: 64 * mib },
    pids: { limit: 20 },
  });
  const child = world.start('busy', 'while :; do :; done');
  const stats = await waitFor('a busy group', async () => {
    const now = await world.stats('busy');
    return (now?.cpuThrottledPeriods ?? 0) > 2 && (now?.cpuUserNs ?? 0) > 0 && now;
  });
  const { cpuNs = 0, cpuThrottledNs = 0, cpuPeriods = 0 } = stats;
  expect(stats).toMatchObject({ pids: 1, pidsLimit: 20, memoryLimitBytes: 64 * mib, swapBytes: 0 });
  expect(cpuNs).toBeGreaterThan(10_000_000);
  expect(cpuThrottledNs).toBeGreaterThan(10_000_000);
  expect(cpuPeriods).toBeGreaterThan(2);
  expect(child.exitCode).toBeNull();
  await world.cgroups.remove('busy');
  expect(await world.stats('busy')).toBeUndefined();
});

it('tells what was read and written of each disk', async () => {
  await world.ensure('disk', {});
  const directory = mkdtempSync('/var/tmp/orc-io-');
  try {
    await world.run('disk', `dd if=/dev/zero of=${directory}/f bs=1M count=2 oflag=direct`);
    const disks = Object.values((await world.stats('disk'))!.io);
    expect(disks.map(({ writtenBytes }) => writtenBytes)).toContain(2 * mib);
    expect(disks.every(({ writes }) => writes > 0)).toBe(true);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
