import { afterEach, beforeEach, expect, it } from 'vitest';
import { conditionOf } from '../../../../api/condition.ts';
import { Deployment } from '../../../../api/deployment.ts';
import { Event } from '../../../../api/event.ts';
import { Pod } from '../../../../api/pod.ts';
import { ReplicaSet } from '../../../../api/replica-set.ts';
import { ResourceQuota } from '../../../../api/resource-quota.ts';
import { startTestCluster, type TestCluster } from '../../../support/test-cluster.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startTestCluster();
});
afterEach(() => cluster.stop());

const key = { namespace: 'default', name: 'q' };
const quota = async (hard: Record<string, string>) => {
  await cluster.apply(ResourceQuota, { metadata: { name: 'q' }, spec: { hard } });
  await cluster.eventually(() => cluster.cache.get(ResourceQuota, key)?.status.hard);
};
const deploy = (replicas: number) =>
  cluster.apply(Deployment, {
    metadata: { name: 'web' },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'web', image: 'web:1' }] },
      },
    },
  });
const pods = () => cluster.cache.list(Pod);
const refused = () => {
  const [set] = cluster.cache.list(ReplicaSet);
  return set && pods().length === 10 && conditionOf(set, 'ReplicaFailure');
};

it('a Deployment of fifty gets the ten pods of its quota, says why, and the rest when there is room', async () => {
  await quota({ pods: '10' });
  await deploy(50);
  const why =
    /^pods "web-.*" is forbidden: exceeded quota: q, requested: pods=1, used: pods=10, limited: /;
  expect(await cluster.eventually(refused)).toMatchObject({
    ...{ status: 'True', reason: 'FailedCreate', message: expect.stringMatching(why) },
  });
  const event = await cluster.eventually(() =>
    cluster.cache.list(Event).find(({ reason }) => reason === 'FailedCreate'),
  );
  expect(event).toMatchObject({ type: 'Warning', involvedObject: { kind: 'ReplicaSet' } });
  expect(cluster.cache.get(ResourceQuota, key)?.status.used).toEqual({ pods: '10' });
  await cluster.objects.modify(ResourceQuota, { key, part: 'main' }, (q) => ({
    ...q,
    spec: { hard: { pods: '50' } },
  }));
  await cluster.eventually(() => pods().length === 50);
  await cluster.eventually(() => cluster.cache.get(ResourceQuota, key)?.status.used?.pods === '50');
});

it('a quota counts what loops make, too', async () => {
  await quota({ 'count/replicasets.apps': '0' });
  await deploy(1);
  const why = 'exceeded quota: q, requested: count/replicasets.apps=1';
  await cluster.eventually(() =>
    cluster.cache.list(Event).some(({ message }) => message?.includes(why)),
  );
  expect(cluster.cache.list(ReplicaSet)).toEqual([]);
});
