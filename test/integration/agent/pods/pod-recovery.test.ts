import { afterEach, beforeEach, expect, it } from 'vitest';
import type { NewAssignment } from '../../../../agent/ledger/assignment.ts';
import type { ConfigMap } from '../../../../api/config-map.ts';
import { type PodWorld, podNamed, podWorld } from '../../../support/pod-world.ts';

let world: PodWorld;
beforeEach(async () => {
  world = await podWorld();
});
afterEach(() => world.stop());

const web = (attempt: number) => ({ uid: 'web', name: 'web', attempt });
const container = () => world.status()?.containerStatuses?.[0];

it('finds its running pods again after a restart, and changes nothing', async () => {
  await world.assign(podNamed());
  world.containers.exit(web(0), 1);
  await world.elapse(5000);
  const before = world.status();
  const { pid } = (await world.containers.list('web')).at(-1)!;
  const eventsBefore = world.events.length;
  await world.restartAgent(() => world.elapse(30_000));
  await world.elapse(60_000);
  expect(await world.containersOf()).toEqual(['web/0 exited', 'web/1 running']);
  expect((await world.containers.list('web')).at(-1)).toMatchObject({ pid });
  expect(world.events.slice(eventsBefore)).toEqual([]);
  expect(world.status()).toEqual(before);
});

it('holds back as long after its own restart as it would have without it', async () => {
  await world.assign(podNamed());
  for (const attempt of [0, 1, 2]) {
    world.containers.exit(web(attempt), 1);
    await world.elapse(40_000);
  }
  world.containers.exit(web(3), 1);
  await world.elapse(1000);
  const waiting = container()?.state.waiting;
  expect(waiting).toMatchObject({ message: expect.stringContaining('back-off 40s') });
  await world.restartAgent();
  expect(container()?.state.waiting).toEqual(waiting);
  await world.elapse(30_000);
  expect(container()?.restartCount).toBe(3);
  await world.elapse(10_000);
  expect(container()?.restartCount).toBe(4);
});

it('asks to stop only once, and ends by force in time, over its own restart', async () => {
  const pod = podNamed();
  await world.assign(pod);
  world.containers.ignoreTerm(web(0));
  await world.delete(pod, 30);
  await world.elapse(20_000);
  const asked = world.reasons().filter((reason) => reason === 'Killing').length;
  await world.restartAgent();
  await world.elapse(9000);
  expect(await world.containersOf()).toEqual(['web/0 running']);
  await world.elapse(2000);
  expect(await world.containersOf()).toEqual([]);
  expect(world.reasons().filter((reason) => reason === 'Killing').length).toBe(asked);
});

it('does not run a Never pod again when it ends itself while it removes the lost sandbox', async () => {
  await world.assign(podNamed('web', { restartPolicy: 'Never' }));
  await world.restartAgent(() => world.sandboxes.lose('web'));
  await world.restartAgent();
  await world.elapse(60_000);
  expect(await world.containersOf()).toEqual([]);
  expect(world.status()?.phase).toBe('Failed');
});

it('restarts, after its own restart, what crashed meanwhile', async () => {
  await world.assign(podNamed());
  await world.restartAgent(() => world.containers.exit(web(0), 7));
  expect(await world.containersOf()).toEqual(['web/0 exited', 'web/1 running']);
  expect(container()?.lastState.terminated).toMatchObject({ exitCode: 7 });
});

it('makes a lost sandbox anew, with the same address and volumes, and counts on', async () => {
  const pod = podNamed('web', { volumes: [{ name: 'data', emptyDir: {} }] });
  await world.assign(pod);
  const connections = () => world.sandboxes.networkOps.get('web')?.length ?? 0;
  const opsOfOne = connections();
  const volumesBefore = world.volumes.volumes.get('web');
  world.sandboxes.lose('web');
  await world.elapse(1);
  expect(await world.containersOf()).toEqual(['web/1 running']);
  expect(world.status()).toMatchObject({
    phase: 'Running',
    podIP: '10.244.0.2',
    containerStatuses: [
      {
        restartCount: 1,
        lastState: { terminated: { reason: 'ContainerStatusUnknown', exitCode: 137 } },
      },
    ],
  });
  expect(world.volumes.volumes.get('web')).toBe(volumesBefore);
  expect(connections()).toBe(opsOfOne);
});

it('finishes the pull that was under way when the sandbox was lost', async () => {
  const release = world.images.hold('web:1');
  await world.assign(podNamed());
  world.sandboxes.lose('web');
  await world.elapse(1000);
  release();
  await world.elapse(1000);
  expect(await world.containersOf()).toEqual(['web/0 running']);
});

it('does not run a Never pod again whose sandbox was lost', async () => {
  await world.assign(podNamed('web', { restartPolicy: 'Never' }));
  world.sandboxes.lose('web');
  await world.elapse(60_000);
  expect(await world.containersOf()).toEqual([]);
  expect(world.status()).toMatchObject({
    phase: 'Failed',
    containerStatuses: [{ state: { terminated: { reason: 'ContainerStatusUnknown' } } }],
  });
});

it('leaves a pod alone whose end is known, though nothing of it is left here', async () => {
  const pod = podNamed('web', { restartPolicy: 'OnFailure' });
  const done = { ...pod, pod: { ...pod.pod, status: { phase: 'Succeeded' as const } } };
  await world.assign(done);
  await world.elapse(60_000);
  expect(await world.containersOf()).toEqual([]);
  expect(world.report('web')).toBeUndefined();
  await world.delete(done);
  expect(world.report('web')).toMatchObject({ terminated: true, status: { phase: 'Succeeded' } });
});

it('keeps the status of a pod that it has seen end', async () => {
  const pod = podNamed('web', { restartPolicy: 'Never' });
  await world.assign(pod);
  world.containers.exit(web(0), 0);
  await world.elapse(1);
  const said = world.status();
  await world.assign({ ...pod, pod: { ...pod.pod, status: { phase: 'Succeeded' } } });
  expect(world.status()).toEqual(said);
  expect(world.report('web')?.generation).toEqual(world.ledger.generation());
});

function settings(data: Record<string, string>, resourceVersion: string): NewAssignment {
  const configMap: ConfigMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'settings', namespace: 'default', uid: 'cm', resourceVersion },
    data,
  } as ConfigMap;
  return { ...withSettings, configMaps: new Map([['settings', configMap]]) };
}
const withSettings = podNamed('web', {
  volumes: [{ name: 'files', configMap: { name: 'settings' } }],
});
const fromSettings = podNamed('web', {
  containers: [{ name: 'web', image: 'web:1', envFrom: [{ configMapRef: { name: 'settings' } }] }],
});
const filesOf = () => {
  const volume = world.volumes.volumes.get('web')?.get('files');
  const files = volume?.kind === 'files' ? volume.files : [];
  return Object.fromEntries(files.map((f) => [f.path, Buffer.from(f.bytes).toString()]));
};

it('brings the files of a running pod up to date when their ConfigMap changes', async () => {
  await world.assign(settings({ color: 'blue' }, '1'));
  expect(filesOf()).toEqual({ color: 'blue' });
  await world.assign(settings({ color: 'red' }, '2'));
  expect(filesOf()).toEqual({ color: 'red' });
  expect(await world.containersOf()).toEqual(['web/0 running']);
});

it('goes on with the files that a running pod has when their ConfigMap goes', async () => {
  await world.assign(settings({ color: 'blue' }, '1'));
  await world.assign(withSettings);
  expect(filesOf()).toEqual({ color: 'blue' });
  world.containers.exit(web(0), 1);
  await world.elapse(1000);
  expect(await world.containersOf()).toEqual(['web/0 exited', 'web/1 running']);
  expect(world.messages('FailedMount')).toHaveLength(1);
});

it('waits for a ConfigMap that a volume is made of, and goes on the moment it comes', async () => {
  await world.assign(withSettings);
  await world.elapse(300_000);
  expect(world.status()).toMatchObject({ phase: 'Pending' });
  const words = 'MountVolume.SetUp failed for volume "files": configmap "settings" not found';
  expect(container()?.state.waiting).toEqual({ reason: 'ContainerCreating', message: words });
  expect(new Set(world.messages('FailedMount'))).toEqual(new Set([words]));
  await world.assign(settings({ color: 'blue' }, '1'));
  expect(await world.containersOf()).toEqual(['web/0 running']);
  expect(world.status()?.message).toBeUndefined();
});

it('waits for a ConfigMap that variables are made of, and goes on the moment it comes', async () => {
  await world.assign(fromSettings);
  await world.elapse(300_000);
  expect(container()?.state.waiting).toEqual({
    reason: 'CreateContainerConfigError',
    message: 'configmap "settings" not found',
  });
  const { configMaps } = settings({ COLOR: 'blue' }, '1');
  await world.assign({ ...fromSettings, configMaps });
  expect(world.containers.specs.get('web/web/0')?.env).toEqual(['COLOR=blue']);
  expect(await world.containersOf()).toEqual(['web/0 running']);
});

it('restarts a container whose liveness probe fails, and says why', async () => {
  const livenessProbe = { exec: { command: ['check'] }, periodSeconds: 1, failureThreshold: 3 };
  await world.assign(
    podNamed('web', { containers: [{ name: 'web', image: 'web:1', livenessProbe }] }),
  );
  await world.elapse(5000);
  expect(await world.containersOf()).toEqual(['web/0 running']);
  world.containers.answerExec(() => ({ stdout: 'sick', exitCode: 1 }));
  await world.elapse(2000);
  expect(await world.containersOf()).toEqual(['web/0 running']);
  world.containers.answerExec(() => ({ exitCode: 0 }));
  await world.elapse(10_000);
  expect(await world.containersOf()).toEqual(['web/0 running']);
  world.containers.answerExec(() => ({ stdout: 'sick', exitCode: 1 }));
  await world.elapse(3000);
  expect(await world.containersOf()).toEqual(['web/0 exited', 'web/1 running']);
  expect(world.messages('Unhealthy')[0]).toBe('Liveness probe failed: sick');
  expect(world.messages('Killing')).toEqual([
    'Container web failed liveness probe, will be restarted',
  ]);
});

it('is Ready as long as its readiness probe says so, and stays running when it doesn’t', async () => {
  const readinessProbe = { exec: { command: ['check'] }, periodSeconds: 1, failureThreshold: 1 };
  world.containers.answerExec(() => ({ exitCode: 1 }));
  await world.assign(
    podNamed('web', { containers: [{ name: 'web', image: 'web:1', readinessProbe }] }),
  );
  const verdicts: (boolean | undefined)[] = [container()?.ready];
  for (const exitCode of [0, 1, 0]) {
    world.containers.answerExec(() => ({ exitCode }));
    await world.elapse(1000);
    verdicts.push(container()?.ready);
  }
  expect(verdicts).toEqual([false, true, false, true]);
  expect(await world.containersOf()).toEqual(['web/0 running']);
});
