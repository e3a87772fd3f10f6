import { expect } from 'vitest';
import { ConfigMap } from '../../../api/config-map.ts';
import { Deployment } from '../../../api/deployment.ts';
import { Namespace } from '../../../api/namespace.ts';
import { Pod } from '../../../api/pod.ts';
import { ReplicaSet } from '../../../api/replica-set.ts';
import { configMap, deployment, pod } from './manifests.ts';
import type { Conform } from './shell.ts';

/** delete, in all its ways; the namespace itself at the end. */
export function deletingCommands(conform: Conform): void {
  conform(
    'delete: by name, by file, by label, all; not in a dry run',
    async ({ ok, fails, run, stored }) => {
      const map = (name: string) => {
        const { metadata, ...rest } = configMap(name);
        return { ...rest, metadata: { ...metadata, labels: { going: 'yes' } } };
      };
      await ok('create -f -', { input: ['d1', 'd2', 'd3', 'd4'].map(map) });
      expect(await ok('delete cm d1 --dry-run=server')).toBe(
        'configmap "d1" deleted (server dry run)\n',
      );
      expect(await ok('delete cm d1 --dry-run=client')).toBe('configmap "d1" deleted (dry run)\n');
      expect(await stored(ConfigMap, 'd1')).toBeDefined();
      expect(await ok('delete cm d1')).toBe('configmap "d1" deleted\n');
      expect(await fails('delete cm d1')).toBe(
        'Error from server (NotFound): configmaps "d1" not found\n',
      );
      expect(await run('delete cm d1 --ignore-not-found')).toEqual({ code: 0, out: '', err: '' });
      expect(await ok('delete -f -', { input: map('d2') })).toBe('configmap "d2" deleted\n');
      expect(await ok('delete cm -l going=yes -o name')).toBe('configmap/d3\nconfigmap/d4\n');
      expect(await run('delete cm -l going=yes')).toMatchObject({
        code: 0,
        out: 'No resources found\n',
      });
      expect(
        await ok('delete --raw /api/v1/namespaces/nowhere/configmaps/x').catch(() => 'not found'),
      ).toBe('not found');
    },
  );

  conform('delete pod: waits for its end, or not at all', async ({ ok, run, node, stored }) => {
    await ok('apply -f -', { input: [pod('p1', node), pod('p2', node)] });
    await ok('wait --for=condition=Ready pod/p1 pod/p2 --timeout=10s');
    expect(await ok('delete pod p1 --timeout=20s')).toBe('pod "p1" deleted\n');
    expect(await stored(Pod, 'p1')).toBeUndefined();
    const forced = await run('delete pod p2 --force --grace-period=0');
    expect(forced).toEqual({
      ...{ code: 0, out: 'pod "p2" force deleted\n' },
      err: expect.stringMatching(/^Warning: Immediate deletion does not wait for confirmation/),
    });
    expect(await stored(Pod, 'p2')).toBeUndefined();
  });

  conform(
    'delete --cascade: background, foreground, orphan',
    async ({ ok, world, namespace, until }) => {
      const sets = (name: string) =>
        world.cache
          .list(ReplicaSet, namespace)
          .filter(({ metadata }) => metadata.labels?.app === name);
      await ok('apply -f -', {
        input: ['c1', 'c2', 'c3'].map((name) => deployment(name, 'web:1', 1)),
      });
      for (const name of ['c1', 'c2', 'c3'])
        await until('its set is there', () => sets(name).length === 1);
      await ok('delete deploy c1');
      await until('its set is gone', () => sets('c1').length === 0);
      expect(await ok('delete deploy c2 --cascade=foreground --timeout=20s')).toContain(
        'deleted\n',
      );
      expect(sets('c2')).toEqual([]);
      await ok('delete deploy c3 --cascade=orphan');
      expect(world.cache.get(Deployment, { namespace, name: 'c3' })).toBeUndefined();
      await until(
        'its set has no owner',
        () => sets('c3')[0]?.metadata.ownerReferences === undefined,
      );
      await ok('delete rs -l app=c3');
    },
  );

  conform(
    'delete --wait: until the last finalizer is gone',
    async ({ ok, start, stored, until, world, namespace }) => {
      const held = {
        ...configMap('held'),
        metadata: { name: 'held', finalizers: ['example.com/hold'] },
      };
      await ok('create -f -', { input: held });
      const waiting = start('delete cm held --timeout=20s');
      await until('it is marked', () => {
        const found = world.cache.get(ConfigMap, { namespace, name: 'held' });
        return found?.metadata.deletionTimestamp !== undefined;
      });
      expect(await ok('delete cm held --wait=false')).toBe('configmap "held" deleted\n');
      expect(waiting.out()).toMatch(/^(configmap "held" deleted\n)?$/);
      expect(await ok('patch cm held --type=merge -p {"metadata":{"finalizers":null}}')).toBe(
        'configmap/held patched\n',
      );
      expect(await waiting.ended).toEqual({ code: 0, out: 'configmap "held" deleted\n', err: '' });
      expect(await stored(ConfigMap, 'held')).toBeUndefined();
    },
  );

  conform(
    'delete --all, delete namespace: empties it, then it goes',
    async ({ ok, fails, stored, world, namespace, until }) => {
      expect(await ok('delete svc --all')).toContain('service "site" deleted\n');
      expect(await fails('delete ns default')).toContain(
        'Error from server (Forbidden): namespaces "default" is forbidden: this namespace may not be deleted\n',
      );
      expect(await ok(`delete ns ${namespace} --timeout=30s`)).toBe(
        `namespace "${namespace}" deleted\n`,
      );
      expect(await stored(Namespace, namespace)).toBeUndefined();
      await until('all is gone', () => world.cache.list(Pod, namespace).length === 0);
      expect(world.cache.list(ConfigMap, namespace)).toEqual([]);
    },
  );
}
