import { afterEach, beforeEach, expect, it } from 'vitest';
import { ImageError } from '../../../../agent/images/image-error.ts';
import { type PodWorld, podNamed, podWorld } from '../../../support/pod-world.ts';

let world: PodWorld;
beforeEach(async () => {
  world = await podWorld();
});
afterEach(() => world.stop());

const web = (attempt: number) => ({ uid: 'web', name: 'web', attempt });
const condition = (type: string) =>
  world.status()?.conditions?.find((c) => c.type === type)?.status;
const container = (index = 0) => world.status()?.containerStatuses?.[index];

it('brings a pod from its assignment to Ready', async () => {
  await world.assign(podNamed());
  expect(await world.containersOf()).toEqual(['web/0 running']);
  expect(world.status()).toMatchObject({
    phase: 'Running',
    podIP: '10.244.0.2',
    hostIP: '172.30.0.11',
    startTime: '2026-01-01T00:00:00Z',
    containerStatuses: [{ name: 'web', ready: true, started: true, restartCount: 0 }],
  });
  expect(condition('Ready')).toBe('True');
  expect(world.reasons()).toEqual(['Pulling', 'Pulled', 'Started']);
});

it('writes the pod’s own address into its hosts file, and the node’s DNS into its resolv.conf', async () => {
  await world.assign(podNamed());
  const spec = world.sandboxes.specs.get('web');
  expect(spec?.hosts).toContain('10.244.0.2\tweb\n');
  expect(spec?.resolvConf).toContain('nameserver 10.96.0.10\n');
});

it('reports with the generation of the assignment that the status is about', async () => {
  await world.assign(podNamed());
  const first = world.report('web')?.generation;
  expect(first).toEqual(world.ledger.generation());
  await world.assign({ ...podNamed(), pod: { ...podNamed().pod, kind: 'Pod' } });
  await world.delete(podNamed());
  expect(world.reported.at(-1)?.generation).toEqual(world.ledger.generation());
  expect(world.reported.at(-1)?.generation).not.toEqual(first);
});

it('restarts a crashing container at once, then after 10 s, 20 s, 40 s', async () => {
  await world.assign(podNamed());
  const waits: number[] = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    world.containers.exit(web(attempt), 1);
    const crashedAt = world.clock.now();
    await world.elapse(0);
    while (container()?.state.running === undefined) await world.elapse(1000);
    waits.push((world.clock.now() - crashedAt) / 1000);
  }
  expect(waits).toEqual([0, 10, 20, 40]);
  expect(container()).toMatchObject({
    restartCount: 4,
    ready: true,
    lastState: { terminated: { exitCode: 1, reason: 'Error' } },
  });
  expect(await world.containersOf()).toEqual(['web/3 exited', 'web/4 running']);
});

it('says CrashLoopBackOff while it waits, and tells of each wait once', async () => {
  await world.assign(podNamed());
  world.containers.exit(web(0), 1);
  await world.elapse(1000);
  world.containers.exit(web(1), 137, true);
  await world.elapse(5000);
  expect(container()).toMatchObject({
    state: {
      waiting: {
        reason: 'CrashLoopBackOff',
        message: 'back-off 10s restarting failed container=web pod=web_default',
      },
    },
    lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } },
    ready: false,
  });
  expect(world.status()?.phase).toBe('Running');
  expect(world.messages('BackOff')).toEqual([
    'Back-off restarting failed container web in pod web_default(web)',
  ]);
});

it('forgets the crashes of a container that then ran for ten minutes', async () => {
  await world.assign(podNamed());
  world.containers.exit(web(0), 1);
  await world.elapse(1000);
  world.containers.exit(web(1), 1);
  await world.elapse(11_000);
  await world.elapse(600_000);
  world.containers.exit(web(2), 1);
  await world.elapse(1000);
  expect((await world.containersOf()).at(-1)).toBe('web/3 running');
});

it('runs init containers one after the other, before the others', async () => {
  const init = ['one', 'two'].map((name) => ({ name, image: 'web:1' }));
  await world.assign(podNamed('web', { initContainers: init }));
  expect(await world.containersOf()).toEqual(['one/0 running']);
  expect(container()).toMatchObject({ state: { waiting: { reason: 'PodInitializing' } } });
  expect(condition('Initialized')).toBe('False');
  world.containers.exit({ uid: 'web', name: 'one', attempt: 0 }, 0);
  await world.elapse(1);
  expect(await world.containersOf()).toEqual(['one/0 exited', 'two/0 running']);
  world.containers.exit({ uid: 'web', name: 'two', attempt: 0 }, 0);
  await world.elapse(1);
  expect((await world.containersOf()).at(-1)).toBe('web/0 running');
  expect(condition('Initialized')).toBe('True');
  expect(world.status()?.initContainerStatuses?.map((c) => c.ready)).toEqual([true, true]);
});

it('repeats an init container that fails, and leaves the others waiting', async () => {
  await world.assign(podNamed('web', { initContainers: [{ name: 'one', image: 'web:1' }] }));
  world.containers.exit({ uid: 'web', name: 'one', attempt: 0 }, 1);
  await world.elapse(1000);
  expect(await world.containersOf()).toEqual(['one/0 exited', 'one/1 running']);
  expect(world.status()?.phase).toBe('Pending');
});

it('runs an ephemeral container once, beside its target as soon as that runs', async () => {
  const look = { name: 'look', image: 'web:1', targetContainerName: 'web' };
  const init = { initContainers: [{ name: 'one', image: 'web:1' }] };
  await world.assign(podNamed('web', init));
  await world.assign(podNamed('web', { ...init, ephemeralContainers: [look] }));
  const states = () => world.status()?.ephemeralContainerStatuses?.[0];
  expect(states()?.state.waiting?.message).toBe('container web is not running');
  world.containers.exit({ uid: 'web', name: 'one', attempt: 0 }, 0);
  await world.elapse(3000);
  expect(await world.containersOf()).toContain('look/0 running');
  expect(states()).toMatchObject({ ready: false, state: { running: {} } });
  expect(condition('Ready')).toBe('True');
  expect(world.events.find(({ fieldPath }) => fieldPath?.includes('look'))?.fieldPath).toBe(
    'spec.ephemeralContainers{look}',
  );
  world.containers.exit({ uid: 'web', name: 'look', attempt: 0 }, 5);
  await world.elapse(60_000);
  expect(states()?.state.terminated?.exitCode).toBe(5);
  expect(await world.containersOf()).toContain('look/0 exited');
  expect(world.status()?.phase).toBe('Running');
});

it('says why a container can’t be started, and goes on trying', async () => {
  const spec = { containers: [{ name: 'web', image: 'web:1', command: ['missing'] }] };
  await world.assign(podNamed('web', spec));
  expect(container()?.state.waiting).toMatchObject({ reason: 'StartError' });
  expect(container()?.state.waiting?.message).toContain('executable file not found');
  const before = world.messages('Failed').length;
  await world.elapse(10_000);
  expect(world.messages('Failed').length).toBeGreaterThan(before);
  expect(container()?.restartCount).toBe(0);
});

it('shows ErrImagePull, then ImagePullBackOff, then runs when the image can be had', async () => {
  world.images.publish('web:1', new ImageError('ManifestUnknown', 'no such image'));
  await world.assign(podNamed());
  expect(container()?.state.waiting?.reason).toBe('ErrImagePull');
  await world.elapse(10_000);
  expect(container()?.state.waiting).toMatchObject({ reason: 'ImagePullBackOff' });
  expect(container()?.state.waiting?.message).toContain('no such image');
  world.images.publish('web:1', {});
  await world.elapse(19_000);
  expect(await world.containersOf()).toEqual([]);
  await world.elapse(1000);
  expect(await world.containersOf()).toEqual(['web/0 running']);
  expect(world.images.pulls).toHaveLength(3);
  expect(world.messages('BackOff')).toEqual(Array(2).fill('Back-off pulling image "web:1"'));
});

it('ends a Never pod as Succeeded or Failed, and runs nothing again', async () => {
  for (const [name, exitCode, phase] of [
    ['good', 0, 'Succeeded'],
    ['bad', 3, 'Failed'],
  ] as const) {
    await world.assign(podNamed(name, { restartPolicy: 'Never' }));
    world.containers.exit({ uid: name, name: 'web', attempt: 0 }, exitCode);
    await world.elapse(120_000);
    expect(world.status(name)?.phase).toBe(phase);
    expect(await world.containersOf(name)).toEqual(['web/0 exited']);
  }
});

it('works on 200 pods at once', async () => {
  const names = Array.from({ length: 200 }, (_, i) => `pod-${i}`);
  const release = world.images.hold('web:1');
  await Promise.all(names.map((name) => world.assign(podNamed(name))));
  release();
  await world.elapse(1000);
  const phases = names.map((name) => world.status(name)?.phase);
  expect(new Set(phases)).toEqual(new Set(['Running']));
  const addresses = names.map((name) => world.status(name)?.podIP);
  expect(new Set(addresses).size).toBe(200);
});
