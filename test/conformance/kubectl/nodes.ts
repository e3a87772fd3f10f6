import { expect } from 'vitest';
import { Node } from '../../../api/node.ts';
import { Pod } from '../../../api/pod.ts';
import { deployment, pod } from './manifests.ts';
import type { Conform } from './shell.ts';

/** cordon, uncordon, taint, drain. */
export function nodeCommands(conform: Conform): void {
  conform('cordon, uncordon', async ({ ok, node, stored }) => {
    expect(await ok(`cordon ${node}`)).toBe(`node/${node} cordoned\n`);
    expect(await ok(`cordon ${node}`)).toBe(`node/${node} already cordoned\n`);
    expect((await stored(Node, node))?.spec.unschedulable).toBe(true);
    expect(await ok(`get node ${node} --no-headers`)).toContain('Ready,SchedulingDisabled');
    expect(await ok(`uncordon ${node}`)).toBe(`node/${node} uncordoned\n`);
    expect((await stored(Node, node))?.spec.unschedulable ?? false).toBe(false);
  });

  conform('taint: adds, changes, removes', async ({ ok, fails, node, stored }) => {
    // The cluster's own taints come and go beside it.
    const ours = async () =>
      ((await stored(Node, node))?.spec.taints ?? []).filter(({ key }) => key === 'mine');
    expect(await ok(`taint node ${node} mine=a:PreferNoSchedule`)).toBe(`node/${node} tainted\n`);
    expect(await ours()).toMatchObject([{ value: 'a', effect: 'PreferNoSchedule' }]);
    expect(await fails(`taint node ${node} mine=b:PreferNoSchedule`)).toContain(
      '--overwrite is false',
    );
    expect(await ok(`taint node ${node} mine=b:PreferNoSchedule --overwrite`)).toBe(
      `node/${node} modified\n`,
    );
    expect(await ok(`taint node ${node} mine-`)).toBe(`node/${node} untainted\n`);
    expect(await ours()).toEqual([]);
  });

  conform(
    'drain: evicts, but not in a dry run',
    async ({ ok, fails, node, namespace, world, until }) => {
      const here = () =>
        world.cache.list(Pod, namespace).filter(({ spec }) => spec.nodeName === node);
      await ok('apply -f -', {
        input: [deployment('drained', 'web:1', 1), pod('alone', node)],
      });
      await ok('rollout status deploy/drained --timeout=30s');
      const select = '--pod-selector=app=alone';
      const dry = await ok(`drain ${node} ${select} --force --dry-run=server`);
      expect(dry).toMatch(/node\/v1-\d+-node (cordoned|drained) \(server dry run\)\n/);
      expect(here().map(({ metadata }) => metadata.name)).toContain('alone');
      expect((await ok(`get node ${node} -o jsonpath={.spec.unschedulable}`)) || 'false').toBe(
        'false',
      );
      expect(await fails(`drain ${node} ${select}`)).toMatch(
        // "that" since 1.30.
        /cannot delete Pods (that )?declare no controller \(use --force to override\)/,
      );
      const done = await ok(`drain ${node} ${select} --force --timeout=30s`);
      expect(done).toMatch(/evicting pod v1-\d+\/alone\n|pod\/alone evicted\n/);
      expect(done).toContain(`node/${node} drained\n`);
      await until('it is gone', () => here().every(({ metadata }) => metadata.name !== 'alone'));
      await ok(`uncordon ${node}`);
      await ok('delete deploy drained');
    },
  );
}
