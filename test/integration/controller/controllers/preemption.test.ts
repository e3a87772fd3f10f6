import { afterEach, beforeEach, expect, it } from 'vitest';
import { Deployment } from '../../../../api/deployment.ts';
import { Event } from '../../../../api/event.ts';
import { Pod } from '../../../../api/pod.ts';
import { PriorityClass } from '../../../../api/priority-class.ts';
import { startTestCluster, type TestCluster } from '../../../support/test-cluster.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startTestCluster();
  await cluster.apply(PriorityClass, { metadata: { name: 'high' }, value: 100 });
  const polite = { value: 100, preemptionPolicy: 'Never' };
  await cluster.apply(PriorityClass, { metadata: { name: 'polite' }, ...polite });
});
afterEach(() => cluster.stop());

const spec = (cpu: string, priorityClassName?: string) => ({
  containers: [{ name: 'c', image: 'c:1', resources: { requests: { cpu } } }],
  ...(priorityClassName && { priorityClassName }),
});
const pod = (name: string, ...of: Parameters<typeof spec>) =>
  cluster.apply(Pod, { metadata: { name }, spec: spec(...of) });
const find = (name: string) => cluster.cache.get(Pod, { namespace: 'default', name });
const bound = () => cluster.cache.list(Pod).filter(({ spec }) => spec.nodeName);

it('a pod of higher priority gets the room of pods of lower, which come again and wait', async () => {
  await cluster.addNode('n1', { cpu: '4' });
  const template = { metadata: { labels: { app: 'low' } }, spec: spec('1') };
  await cluster.apply(Deployment, {
    metadata: { name: 'low' },
    spec: { replicas: 4, selector: { matchLabels: { app: 'low' } }, template },
  });
  await cluster.eventually(() => bound().length === 4);
  await pod('high', '2', 'high');
  await cluster.eventually(() => find('high')?.spec.nodeName === 'n1');
  await cluster.eventually(() => cluster.cache.list(Pod).length === 5);
  expect(bound()).toHaveLength(3);
  expect(find('high')?.status.nominatedNodeName).toBeUndefined();
  const told = cluster.cache.list(Event).filter(({ reason }) => reason === 'Preempted');
  const why = `Preempted by pod ${find('high')?.metadata.uid} on node n1`;
  expect(told.map(({ message }) => message)).toEqual([why, why]);
});

it('a pod whose class never preempts waits', async () => {
  await cluster.addNode('n1', { cpu: '4' });
  await pod('low', '4');
  await cluster.eventually(() => find('low')?.spec.nodeName);
  await pod('polite', '4', 'polite');
  await cluster.eventually(
    () => find('polite')?.status.conditions?.[0]?.reason === 'Unschedulable',
  );
  expect(find('low')?.metadata.deletionTimestamp).toBeUndefined();
});

it('of the pods that wait the more important ones are placed first', async () => {
  await pod('a-low', '3');
  await pod('b-high', '3', 'high');
  await cluster.eventually(() => cluster.cache.list(Pod).every(({ status }) => status.conditions));
  await cluster.addNode('n1', { cpu: '4' });
  await cluster.eventually(() => bound().length > 0);
  expect(bound().map(({ metadata }) => metadata.name)).toEqual(['b-high']);
});

it('room that is being made is not taken by what is less important', async () => {
  await cluster.addNode('n1', { cpu: '4' });
  await pod('low', '3');
  await cluster.eventually(() => find('low')?.spec.nodeName);
  // Its pods take their time to end.
  cluster.silence('n1');
  await pod('high', '4', 'high');
  await cluster.eventually(() => find('high')?.status.nominatedNodeName === 'n1');
  await pod('small', '1');
  await cluster.eventually(() => find('small')?.status.conditions?.[0]?.reason === 'Unschedulable');
  await cluster.hear('n1');
  await cluster.eventually(() => find('high')?.spec.nodeName === 'n1');
});
