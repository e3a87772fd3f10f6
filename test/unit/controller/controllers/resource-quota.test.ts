import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Pod } from '../../../../api/pod.ts';
import { ReplicaSet } from '../../../../api/replica-set.ts';
import { ResourceQuota } from '../../../../api/resource-quota.ts';
import { silentLog } from '../../../../base/log.ts';
import { replicaSetLoop } from '../../../../controller/controllers/replica-set.ts';
import { resourceQuotaLoop } from '../../../../controller/controllers/resource-quota.ts';
import { anObject } from '../../../support/an-object.ts';
import { type ObjectWorld, objectWorld } from '../../../support/object-world.ts';
import { seededRng } from '../../../support/seeded-rng.ts';

let world: ObjectWorld;
beforeEach(async () => {
  world = await objectWorld();
});
afterEach(() => world.stop());

const key = { namespace: 'default', name: 'q' };
const newQuota = () =>
  anObject(ResourceQuota, { metadata: { name: 'q' }, spec: { hard: { pods: '5' } } });
const newPod = (name: string) =>
  anObject(Pod, { metadata: { name }, spec: { containers: [{ name: 'c', image: 'c:1' }] } });

describe('counting again', () => {
  const reconcile = (cache: ObjectWorld['cache']) =>
    resourceQuotaLoop.reconcile('default/q', {
      ...{ cache, objects: world.objects, clock: world.clock, rng: seededRng(1), log: silentLog },
      ...{ events: { normal: () => {}, warning: () => {} }, runningSince: 0 },
      signal: new AbortController().signal,
    });

  it('loses against what was counted since it looked', async () => {
    await world.objects.create(ResourceQuota, newQuota());
    await world.settled();
    const { get, list } = world.cache;
    const [seen, pods] = [get(ResourceQuota, key), list(Pod)];
    const charge = {
      ...{ kind: ResourceQuota, key },
      change: (quota: ResourceQuota) => ({ ...quota, status: { used: { pods: '1' } } }),
    };
    await world.objects.alongside([charge]).create(Pod, newPod('a'));
    const stale = { ...world.cache, get: () => seen, list: () => pods };
    await expect(reconcile(stale as never)).rejects.toMatchObject({ reason: 'Conflict' });
    await world.settled();
    await reconcile(world.cache);
    expect((await world.objects.get(ResourceQuota, key))?.status).toEqual({
      ...{ hard: { pods: '5' }, used: { pods: '1' } },
    });
  });

  it('is for quotas of the namespace in which a pod ends, goes or comes, not where it only changes', async () => {
    await world.objects.create(ResourceQuota, newQuota());
    await world.settled();
    const pod = newPod('a');
    const ended = { ...pod, status: { ...pod.status, phase: 'Succeeded' as const } };
    const running = { ...pod, status: { ...pod.status, phase: 'Running' as const } };
    const woken = (object?: Pod, previous?: Pod) =>
      resourceQuotaLoop.wakes(
        { kind: Pod, key: { namespace: 'default', name: 'a' }, revision: 1, object, previous },
        world.cache,
      );
    const all = [woken(pod), woken(undefined, pod), woken(ended, pod), woken(running, pod)];
    expect(all).toEqual([['default/q'], ['default/q'], ['default/q'], []]);
  });
});

it('a quota that changes wakes the ReplicaSets whose pods were refused', async () => {
  const replicaSet = (
    name: string,
    ...conditions: readonly { type: string; status: 'True' }[]
  ) => ({
    ...anObject(ReplicaSet, {
      metadata: { name },
      spec: {
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name } },
          spec: { containers: [{ name: 'c', image: 'c:1' }] },
        },
      },
    }),
    status: { replicas: 0, conditions },
  });
  await world.objects.create(ReplicaSet, replicaSet('well'));
  const failure = { type: 'ReplicaFailure', status: 'True' } as const;
  await world.objects.create(ReplicaSet, replicaSet('refused', failure));
  await world.settled();
  const change = { kind: ResourceQuota, key, revision: 1, object: newQuota(), previous: undefined };
  expect(replicaSetLoop.wakes(change, world.cache)).toEqual(['default/refused']);
});
