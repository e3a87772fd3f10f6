import { beforeAll, expect, it } from 'vitest';
import { useDevCluster } from '../support/dev-cluster.ts';
import { idle, shell, shellPod } from '../support/manifests.ts';
import { readyPod } from '../support/pod-states.ts';

const cluster = useDevCluster();

beforeAll(async () => {
  const { create } = cluster();
  await create(
    shellPod('greedy', shell(idle, { resources: { requests: { cpu: '1000' } } })),
    shellPod('picky', shell(idle), { nodeSelector: { disk: 'ssd' } }),
  );
});

it.for([
  ['greedy', /^0\/3 nodes are available: 3 Insufficient cpu/],
  ['picky', /^0\/3 nodes are available: 3 node\(s\) didn't match .*(selector|affinity)/],
] as const)(
  'tells of the pod %s why no host takes it, in its condition and in an event',
  async ([name, why]) => {
    const { until } = cluster();
    const condition = await until('pods', (pods) =>
      pods
        .find(({ metadata }) => metadata?.name === name)
        ?.status?.conditions?.find(({ type }) => type === 'PodScheduled'),
    );
    expect(condition).toMatchObject({
      status: 'False',
      reason: 'Unschedulable',
      message: expect.stringMatching(why),
    });
    const event = await until('events', (events) =>
      events.find(
        ({ reason, involvedObject }) =>
          reason === 'FailedScheduling' && involvedObject.name === name,
      ),
    );
    expect(event).toMatchObject({ type: 'Warning', message: expect.stringMatching(why) });
  },
);

it('starts the pod as soon as a host fits', async () => {
  const { patch, until } = cluster();
  const labels = { disk: 'ssd' };
  await patch({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'host2', labels } });
  const pod = await until('pods', readyPod('picky'));
  expect(pod.spec?.nodeName).toBe('host2');
});
