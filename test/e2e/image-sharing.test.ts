import { expect, it } from 'vitest';
import { useDevCluster } from '../support/dev-cluster.ts';
import { findProcess } from '../support/find-process.ts';
import { idle, shell, shellPod } from '../support/manifests.ts';
import { readyPod } from '../support/pod-states.ts';

const cluster = useDevCluster({ nodes: 2 });

it('starts pods on another host from an image that one has, when its registry has gone', async () => {
  const { create, until, dataDir } = cluster();
  await create(shellPod('first', shell(idle), { nodeName: 'host1' }));
  await until('pods', readyPod('first'));
  const registry = await findProcess(new RegExp(`^\\S*docker-registry serve ${dataDir}`));
  process.kill(registry ?? 0);
  await create(shellPod('second', shell(idle), { nodeName: 'host2' }));
  const [pod] = [await until('pods', readyPod('second'))].flat();
  expect(pod?.status?.phase).toBe('Running');
});
