import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CoordinationV1Api, type V1Deployment, type V1Pod } from '@kubernetes/client-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { type DevCluster, useDevCluster } from '../support/dev-cluster.ts';
import { findProcess } from '../support/find-process.ts';
import { deployment, helloContainer, idle, shell, shellPod } from '../support/manifests.ts';
import { nameOf, podsOf, readyPod, readyPods } from '../support/pod-states.ts';
import { waitFor } from '../support/wait-for.ts';

/** In this order: each test finds the cluster whole again after the one before. */
const cluster = useDevCluster({ flags: ['--controllers', '3', '--etcd', '1'] });

const controllers = ['controller', 'controller2', 'controller3'];
const replicas = 6;

/** Through one that is not the leader, so that the leader's end ends no watch of the test. */
let follower: DevCluster;

const leader = async (): Promise<string> => {
  const leases = follower.client.makeApiClient(CoordinationV1Api);
  const of = { name: 'orc-controller', namespace: 'kube-system' };
  return (await leases.readNamespacedLease(of)).spec?.holderIdentity ?? '';
};

const processOf = async (controller: string): Promise<number> =>
  (await findProcess(new RegExp(`^[^ ]*/node .*--data-dir ${cluster().dataDir}/${controller} `))) ??
  0;

const logOf = (controller: string) =>
  readFile(join(cluster().dataDir, `${controller}.log`), 'utf8');

const another = async (than: string) =>
  waitFor(
    'the next leader',
    async () => {
      const now = await leader();
      return now === than ? undefined : now;
    },
    10_000,
  );

async function followAnother(): Promise<void> {
  const leads = await leader();
  follower = await cluster().through(controllers.find((name) => name !== leads) ?? '');
}

beforeAll(async () => {
  follower = await cluster().through('controller3');
  await waitFor('a leader', async () => (await leader()) !== '');
  await followAnother();
  await follower.create(
    deployment('web', helloContainer(), { replicas }),
    shellPod('client', shell(`echo began; ${idle}`)),
  );
  await follower.until('pods', readyPods('web', replicas));
  await follower.until('pods', readyPod('client'));
});

const complete = (all: readonly V1Deployment[]): V1Deployment | undefined =>
  all.find(
    ({ metadata, status }) =>
      metadata?.name === 'web' &&
      status?.observedGeneration === metadata.generation &&
      status?.updatedReplicas === replicas &&
      status?.readyReplicas === replicas &&
      status?.replicas === replicas,
  );

const toVersion = (version: string) => ({
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } },
  spec: {
    template: {
      spec: { containers: [helloContainer({ env: [{ name: 'VERSION', value: version }] })] },
    },
  },
});

const ofVersion = (version: string, all: readonly V1Pod[]) =>
  podsOf('web', all).filter(({ spec }) =>
    spec?.containers[0]?.env?.some(({ name, value }) => name === 'VERSION' && value === version),
  );

describe('a controller that does not lead', () => {
  it('serves the API, and reaches into pods over its own links', async () => {
    expect((await follower.orc('get', 'nodes')).out.match(/ Ready /g)).toHaveLength(3);
    expect(await follower.exec('client', ['echo', 'hello'])).toMatchObject({ out: 'hello\n' });
    expect(await follower.orc('logs', 'client')).toMatchObject({ code: 0, out: 'began\n' });
  });
});

describe('a leader that is killed in the middle of a rollout', () => {
  async function rollOut(version: string, midway: () => Promise<void>): Promise<number> {
    const from = performance.now();
    await follower.patch(toVersion(version));
    await follower.until('pods', (all) => ofVersion(version, all).length >= 2);
    await midway();
    await follower.until('deployments', complete, 60_000);
    return performance.now() - from;
  }

  it('is followed by another, which ends the rollout within five seconds more than it takes', async () => {
    const undisturbedMs = await rollOut('2', async () => {});
    const killed = await leader();
    const disturbedMs = await rollOut('3', async () => {
      process.kill(await processOf(killed), 'SIGKILL');
    });
    expect(await leader()).not.toBe(killed);
    expect(disturbedMs - undisturbedMs, 'milliseconds more').toBeLessThan(5000);
    const pods = await follower.until('pods', readyPods('web', replicas));
    expect(ofVersion('3', pods)).toHaveLength(replicas);
  });
});

describe('a leader that is stopped for a while', () => {
  it('writes nothing and assigns nothing when it goes on, and follows', async () => {
    await followAnother();
    const deposed = await leader();
    const pid = await processOf(deposed);
    process.kill(pid, 'SIGSTOP');
    try {
      const next = await another(deposed);
      await follower.patch({ ...toVersion('3'), spec: { replicas: 2 } });
      const left = await follower.until('pods', (all) =>
        podsOf('web', all).length === 2 && all.every(({ metadata }) => !metadata?.deletionTimestamp)
          ? podsOf('web', all).map(nameOf)
          : undefined,
      );
      const before = (await logOf(deposed)).length;
      process.kill(pid, 'SIGCONT');
      await waitFor(
        'its end',
        async () => (await logOf(deposed)).slice(before).includes('no longer leading'),
        10_000,
      );
      const through = await cluster().through(deposed);
      await through.create(shellPod('afterwards', shell(idle)));
      const all = await through.until('pods', (pods) => readyPod('afterwards')(pods) && pods);
      expect(podsOf('web', all).map(nameOf)).toEqual(left);
      expect(await leader()).toBe(next);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });
});

describe('a leader that ends in order', () => {
  it('hands over at once', async () => {
    await followAnother();
    const ending = await leader();
    process.kill(await processOf(ending), 'SIGTERM');
    const from = performance.now();
    await another(ending);
    expect(performance.now() - from).toBeLessThan(2000);
  });
});
