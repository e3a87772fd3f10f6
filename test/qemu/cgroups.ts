import { strict as assert } from 'node:assert';
import { limitRows } from '../support/cgroup-limits.ts';
import { openCgroupWorld } from '../support/cgroup-world.ts';
import { waitFor } from '../support/wait-for.ts';

/** What test/linux/cgroups shows of version 1 where it runs, on pure version 2: limits, devices, freezing, killing. */
const world = await openCgroupWorld();
try {
  assert.equal(world.cgroups.version, 2);
  await limits();
  await devices();
  await endOfForkBomb();
  await statistics();
} finally {
  await world.end();
}
console.log('kept');

async function limits(): Promise<void> {
  for (const [what, resources, , files] of limitRows) {
    await world.ensure('rows', resources);
    for (const [file, value] of Object.entries(files))
      assert.equal(world.read('rows', file), value, what);
    await world.cgroups.remove('rows');
  }
  for (const size of [64, 16, 128]) {
    const memory = { limit: size * 2 ** 20, swap: size * 2 ** 20 };
    await world.ensure('live', { memory, cpu: { quota: size * 1000, burst: size * 1000 } });
  }
  assert.equal(world.read('live', 'cpu.max'), '128000 100000');
  await world.ensure('unified', { unified: { 'memory.high': '33554432' } });
  assert.equal(world.read('unified', 'memory.high'), '33554432');
  await assert.rejects(world.ensure('unified', { unified: { 'pids.none': '1' } }));
}

async function devices(): Promise<void> {
  const tries = 'cat /dev/null && echo null; head -c0 /dev/kmsg && echo kmsg';
  await world.ensure('devices', { devices: [] });
  assert.match(await world.run('devices', tries), /^null\n.*not permitted/s);
  await world.ensure('devices', { devices: [{ allow: true }] });
  assert.equal(await world.run('devices', tries), 'null\nkmsg');
}

async function endOfForkBomb(): Promise<void> {
  await world.ensure('bomb/below', { pids: { limit: 60 } });
  const child = world.start('bomb/below', "exec perl -e 'while (1) { fork }'");
  await waitFor('processes', () => world.pids('bomb/below').length === 60, 60_000);
  await world.freeze('bomb');
  await world.thaw('bomb');
  await world.cgroups.remove('bomb');
  await waitFor('its first process', () => child.signalCode === 'SIGKILL', 60_000);
}

async function statistics(): Promise<void> {
  await world.ensure('busy', { cpu: { quota: 10_000, period: 100_000 }, pids: { limit: 20 } });
  world.start('busy', 'while :; do :; done');
  const stats = await waitFor(
    'a busy group',
    async () => {
      const now = await world.stats('busy');
      return (now?.cpuThrottledPeriods ?? 0) > 2 && now;
    },
    60_000,
  );
  assert.ok((stats.cpuThrottledNs ?? 0) > 0 && (stats.cpuUserNs ?? 0) > 0);
  assert.deepEqual([stats.pids, stats.pidsLimit, stats.swapBytes], [1, 20, 0]);
}
