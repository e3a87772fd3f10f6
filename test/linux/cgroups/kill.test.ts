import { existsSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { setFrozen } from '../../../agent/kernel/cgroup-end.ts';
import { type CgroupTrees, findCgroupTrees } from '../../../agent/kernel/cgroup-trees.ts';
import { systemClock } from '../../../base/clock.ts';
import { type CgroupWorld, openCgroupWorld } from '../../support/cgroup-world.ts';
import { openRuntimeHost } from '../../support/runtime-host.ts';
import { waitFor } from '../../support/wait-for.ts';

const { version, trees } = await findCgroupTrees(['freezer']);
const hasLeaf = trees.some(({ controller }) => controller === 'unified');

const without = (controller: string) => (all: CgroupTrees) => ({
  ...all,
  trees: all.trees.filter((tree) => tree.controller !== controller),
});
const hosts: readonly [string, boolean, (all: CgroupTrees) => CgroupTrees][] = [
  ['on version 2, by cgroup.freeze and cgroup.kill', version === 2, (all) => all],
  ['on a hybrid host, by a leaf of the unified tree', hasLeaf, without('freezer')],
  ['on version 1, by its freezer', version === 1, without('unified')],
];

let world: CgroupWorld;

/** Each forks as fast as it can, and at the limit as soon as one ends. */
const forkBomb = "exec perl -e 'while (1) { fork }'";

for (const [host, isHere, choose] of hosts)
  describe.runIf(isHere)(host, () => {
    afterEach(() => world.end());

    it('stops a group with those below it, and lets it go on', async () => {
      world = await openCgroupWorld(choose);
      await world.ensure('top/below', {});
      world.start('top/below', 'while :; do :; done');
      const used = async () => (await world.cgroups.usage('top'))?.cpuNs ?? 0;
      await waitFor('a busy loop', async () => (await used()) > 0);
      await world.freeze('top');
      const frozen = await used();
      await expect(
        waitFor('time passing', async () => (await used()) > frozen, 200),
      ).rejects.toThrow();
      await world.thaw('top');
      await waitFor('the loop to go on', async () => (await used()) > frozen);
      await world.freeze('top/below');
      await world.cgroups.remove('top');
      expect(existsSync(world.cgroups.directories('top')[0]?.path ?? '')).toBe(false);
    });

    it('kills a fork bomb with every one of its processes, and leaves no group', async () => {
      world = await openCgroupWorld(choose);
      await world.ensure('bomb', { pids: { limit: 60 } });
      await world.ensure('bomb/below', {});
      const child = world.start('bomb/below', forkBomb);
      await waitFor('processes up to the limit', () => world.pids('bomb/below').length === 60);
      await world.cgroups.remove('bomb');
      await waitFor('its first process', () => child.signalCode === 'SIGKILL');
      expect(await world.cgroups.list()).toEqual([]);
    });
  });

it('a container that is frozen ends with its pod', async () => {
  const host = await openRuntimeHost();
  try {
    await host.sandbox();
    const spec = host.spec('exec sleep 1000');
    await host.runtime.containers.start(spec, new AbortController().signal);
    const running = await host.state();
    await setFrozen(host.cgroups.directories('poda/web-0'), true, systemClock());
    await host.runtime.sandboxes.remove('a');
    expect(existsSync(`/proc/${running?.pid}`)).toBe(false);
    expect(await host.cgroups.list()).toEqual([]);
  } finally {
    await host.end();
  }
});
