import type { V1Deployment, V1Pod } from '@kubernetes/client-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { useDevCluster } from '../support/dev-cluster.ts';
import { findKubectls } from '../support/kubectl.ts';
import { deployment, helloContainer, idle, shell, shellPod } from '../support/manifests.ts';
import { isReady, nameOf, podsOf, readyPod, readyPods } from '../support/pod-states.ts';

const cluster = useDevCluster();

/** Ready only a second after its start, so that a rollout that doesn't wait for readiness shows. */
const slowToBeReady = helloContainer({
  readinessProbe: {
    exec: { command: ['sh', '-c', 'test -e /tmp/ready || { sleep 1; touch /tmp/ready; false; }'] },
    periodSeconds: 1,
    timeoutSeconds: 5,
  },
});

const versioned = (version: string) => ({
  ...slowToBeReady,
  env: [...(slowToBeReady.env ?? []), { name: 'VERSION', value: version }],
});

const versionOf = ({ spec }: V1Pod) =>
  spec?.containers[0]?.env?.find(({ name }) => name === 'VERSION')?.value;

const change = (name: string, spec: object) => ({
  ...{ apiVersion: 'apps/v1', kind: 'Deployment' },
  metadata: { name },
  spec,
});

const toVersion = (name: string, version: string) =>
  change(name, { template: { spec: { containers: [versioned(version)] } } });

const complete =
  (name: string, replicas: number) =>
  (all: readonly V1Deployment[]): V1Deployment | undefined =>
    all.find(
      ({ metadata, status }) =>
        metadata?.name === name &&
        status?.observedGeneration === metadata.generation &&
        status?.updatedReplicas === replicas &&
        status?.readyReplicas === replicas &&
        status?.replicas === replicas,
    );

describe('a Deployment with maxUnavailable 0 and maxSurge 1', () => {
  beforeAll(async () => {
    const strategy = { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } };
    const { create, until } = cluster();
    await create(deployment('web', versioned('1'), { replicas: 3, strategy }));
    await until('pods', readyPods('web', 3));
  });

  it('replaces its pods one by one, with three ready and four at most all the while', async () => {
    const { patch, until } = cluster();
    await patch(toVersion('web', '2'));
    await until(
      'pods',
      (pods) => {
        const there = podsOf('web', pods);
        const ready = there.filter(isReady);
        expect(ready.length).toBeGreaterThanOrEqual(3);
        expect(there.length).toBeLessThanOrEqual(4);
        return there.length === 3 && ready.every((pod) => versionOf(pod) === '2');
      },
      60_000,
    );
    await until('deployments', complete('web', 3));
  });

  it('keeps the old pods while the new ones do not become ready', async () => {
    const { patch, until } = cluster();
    const image = { ...versioned('3'), image: 'registry:5000/hello:missing' };
    await patch(change('web', { template: { spec: { containers: [image] } } }));
    await until('pods', (pods) => {
      const there = podsOf('web', pods);
      const waiting = there.flatMap(({ status }) => status?.containerStatuses?.[0]?.state?.waiting);
      expect(there.filter(isReady).map(versionOf)).toEqual(['2', '2', '2']);
      return waiting.some((state) => state?.reason === 'ImagePullBackOff');
    });
  });

  it('goes back with kubectl rollout undo', async ({ skip }) => {
    skip(findKubectls().length === 0, 'kubectl not found');
    const { kubectl, until } = cluster();
    const undo = await kubectl('rollout', 'undo', 'deployment/web');
    expect(undo).toMatchObject({ code: 0 });
    const status = await kubectl('rollout', 'status', 'deployment/web', '--timeout=30s');
    expect(status).toMatchObject({ code: 0 });
    const pods = await until('pods', readyPods('web', 3));
    expect(pods.map(versionOf)).toEqual(['2', '2', '2']);
  });

  it('scales up over all hosts and down again, keeping what is ready', async () => {
    const { patch, until } = cluster();
    await patch(toVersion('web', '2'));
    await patch(change('web', { replicas: 6 }));
    const six = await until('pods', readyPods('web', 6));
    expect(new Set(six.map(({ spec }) => spec?.nodeName)).size).toBe(3);
    await patch(change('web', { replicas: 2 }));
    const two = await until('pods', readyPods('web', 2));
    expect(six.map(nameOf)).toEqual(expect.arrayContaining(two.map(nameOf)));
    await until('deployments', complete('web', 2));
  });

  it('leaves nothing behind when it is deleted', async () => {
    const { remove, until } = cluster();
    await remove(change('web', {}));
    const own = (metadata?: { name?: string }) => metadata?.name?.startsWith('web');
    await until('pods', (pods) => !pods.some(({ metadata }) => own(metadata)));
    await until('replicasets', (sets) => !sets.some(({ metadata }) => own(metadata)));
    await until('deployments', (all) => !all.some(({ metadata }) => own(metadata)));
  });
});

describe('a pod that is deleted', () => {
  const gone = (name: string) => (pods: readonly V1Pod[]) =>
    !pods.some(({ metadata }) => metadata?.name === name);

  it('ends at once when its process heeds SIGTERM, however long its grace', async () => {
    const { create, until, remove } = cluster();
    const pod = shellPod('polite', shell(idle), { terminationGracePeriodSeconds: 60 });
    await create(pod);
    await until('pods', readyPod('polite'));
    await remove(pod);
    await until('pods', gone('polite'), 10_000);
  });

  it('gets SIGTERM, and SIGKILL when its grace has passed', async () => {
    const { create, until, remove, exec } = cluster();
    const stubborn = shell('trap "echo asked >> /notes/said" TERM; while :; do sleep 1; done', {
      volumeMounts: [{ name: 'notes', mountPath: '/notes' }],
    });
    const reader = shell(idle.replace('exit 0', ''), {
      name: 'reader',
      volumeMounts: [{ name: 'notes', mountPath: '/notes' }],
    });
    const pod = shellPod('stubborn', stubborn, {
      containers: [stubborn, reader],
      terminationGracePeriodSeconds: 4,
      volumes: [{ name: 'notes', emptyDir: {} }],
    });
    await create(pod);
    await until('pods', readyPod('stubborn'));
    const askedAt = performance.now();
    await remove(pod);
    await expect
      .poll(async () => (await exec('stubborn', ['cat', '/notes/said'], 'reader')).out, {
        timeout: 3_000,
      })
      .toBe('asked\n');
    await until('pods', gone('stubborn'), 15_000);
    const tookMs = performance.now() - askedAt;
    expect(tookMs).toBeGreaterThan(3_800);
    expect(tookMs).toBeLessThan(8_000);
  });
});
