import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { useDevCluster } from '../support/dev-cluster.ts';
import { findProcess } from '../support/find-process.ts';
import { deployment, helloContainer } from '../support/manifests.ts';
import { orc } from '../support/orc-cli.ts';
import { containerStatus, nameOf, readyPods } from '../support/pod-states.ts';

/** Both stores take the same file: see test/integration/controller/backup.test.ts. Here it is the embedded one. */
const cluster = useDevCluster({ nodes: 2, flags: ['--etcd', '0'] });

const identities = (pods: readonly V1Pod[]) =>
  pods
    .map((pod) => {
      const { containerID, restartCount } = containerStatus(pod) ?? {};
      return { name: nameOf(pod), uid: pod.metadata?.uid, containerID, restartCount };
    })
    .sort((a, b) => a.name.localeCompare(b.name));

describe('a controller whose disk is lost, restored from a backup', () => {
  it('is followed by the agents: what the backup has runs on untouched, what came later goes', async () => {
    const { dataDir, pid, create, until, sandboxes, orc: ask } = cluster();
    const file = join(dataDir, 'cluster.backup');
    await create(deployment('kept', helloContainer(), { replicas: 3 }));
    const before = await until('pods', readyPods('kept', 3));
    expect(await ask('backup', file)).toMatchObject({ code: 0 });
    await create(deployment('later', helloContainer(), { replicas: 2 }));
    await until('pods', readyPods('later', 2));

    const controller = await findProcess(
      new RegExp(`^[^ ]*/node .*--data-dir ${dataDir}/controller `),
    );
    process.kill(pid, 'SIGSTOP');
    try {
      process.kill(controller ?? 0, 'SIGKILL');
      await rename(join(dataDir, 'controller'), join(dataDir, 'lost'));
      const restored = await orc(['restore', file, '--data-dir', join(dataDir, 'controller')]);
      expect(restored).toMatchObject({ code: 0, err: '' });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await expect
      .poll(async () => (await Promise.all(['host1', 'host2'].map(sandboxes))).flat().sort(), {
        timeout: 30_000,
      })
      .toEqual(before.map(({ metadata }) => metadata?.uid ?? '').toSorted());
    const after = await until('pods', readyPods('kept', 3));
    expect(identities(after)).toEqual(identities(before));
    await create(deployment('new', helloContainer(), { replicas: 2 }));
    await until('pods', readyPods('new', 2));
  });
});
