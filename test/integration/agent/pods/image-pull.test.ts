import { afterEach, beforeEach, expect, it } from 'vitest';
import { ImageError } from '../../../../agent/images/image-error.ts';
import type { Secret } from '../../../../api/secret.ts';
import { type PodWorld, podNamed, podWorld } from '../../../support/pod-world.ts';

let world: PodWorld;
beforeEach(async () => {
  world = await podWorld();
});
afterEach(() => world.stop());

const container = (uid = 'web') => world.status(uid)?.containerStatuses?.[0];
const withPolicy = (imagePullPolicy: string, name = 'web') =>
  podNamed(name, { containers: [{ name: 'web', image: 'web:1', imagePullPolicy }] });

it('asks the registry before every start under Always', async () => {
  await world.assign(withPolicy('Always'));
  world.containers.exit({ uid: 'web', name: 'web', attempt: 0 }, 1);
  await world.elapse(1000);
  expect(await world.containersOf()).toEqual(['web/0 exited', 'web/1 running']);
  expect(world.images.pulls).toHaveLength(2);
});

it('asks nobody under IfNotPresent when the image is there', async () => {
  await world.assign(podNamed('one'));
  await world.assign(podNamed('two'));
  expect(world.images.pulls).toHaveLength(1);
  expect(world.messages('Pulled')).toEqual([
    'Successfully pulled image "web:1" in 0.000s. Image size: 1000 bytes.',
    'Container image "web:1" already present on machine',
  ]);
});

it('never asks under Never, and says so', async () => {
  await world.assign(withPolicy('Never'));
  expect(container()?.state.waiting).toEqual({
    reason: 'ErrImageNeverPull',
    message: 'Container image "web:1" is not present with pull policy of Never',
  });
  expect(world.images.pulls).toEqual([]);
  await world.assign(withPolicy('Always', 'other'));
  await world.elapse(10_000);
  expect(await world.containersOf()).toEqual(['web/0 running']);
});

function pullSecret(password: string, resourceVersion: string): ReadonlyMap<string, Secret> {
  const config = JSON.stringify({ auths: { 'r.example': { username: 'ann', password } } });
  const metadata = { name: 'pull', uid: 'u', resourceVersion, creationTimestamp: '' };
  const data = { '.dockerconfigjson': Buffer.from(config).toString('base64') };
  const type = 'kubernetes.io/dockerconfigjson';
  return new Map([['pull', { apiVersion: 'v1', kind: 'Secret', metadata, type, data }]]);
}

it('shows the registry the credentials of imagePullSecrets, and new ones at once', async () => {
  const pod = podNamed('web', { imagePullSecrets: [{ name: 'pull' }] });
  world.images.publish('web:1', new ImageError('Unauthorized', 'who are you?'));
  await world.assign({ ...pod, secrets: pullSecret('old', '1') });
  world.images.publish('web:1', {});
  await world.assign({ ...pod, secrets: pullSecret('new', '2') });
  const ann = (password: string) => [{ registry: 'r.example', username: 'ann', password }];
  expect(world.images.pulls.map((p) => p.credentials)).toEqual([ann('old'), ann('new')]);
  expect(await world.containersOf()).toEqual(['web/0 running']);
});

it('tries again after 10 s, 20 s … 5 min', async () => {
  world.images.publish('web:1', new ImageError('RegistryUnavailable', 'no answer'));
  await world.assign(podNamed());
  const startedAt = world.clock.now();
  const tries: number[] = [];
  for (let seen = 1; tries.length < 7; await world.elapse(1000)) {
    if (world.images.pulls.length === seen) continue;
    seen = world.images.pulls.length;
    tries.push((world.clock.now() - startedAt) / 1000);
  }
  expect(tries).toEqual([10, 30, 70, 150, 310, 610, 910]);
});

it('tells how far it is, at most every two seconds', async () => {
  const release = world.images.hold('web:1');
  await world.assign(podNamed());
  const { onProgress } = world.images.pulls[0]!;
  const before = world.reported.length;
  for (let tenth = 1; tenth <= 100; tenth++) {
    await world.elapse(100);
    onProgress({ doneBytes: tenth * 100_000, totalBytes: 10_000_000, layers: [] });
  }
  await world.elapse(1);
  expect(world.reported.length - before).toBe(5);
  expect(container()?.state.waiting?.message).toBe('Pulling image: 10.0 MB of 10.0 MB');
  release();
  await world.elapse(1);
  expect(container()?.state.running).toBeDefined();
});

it('tells in events how far a long one is, at most every fifteen seconds', async () => {
  world.images.hold('web:1');
  await world.assign(podNamed());
  const { onProgress } = world.images.pulls[0]!;
  for (let second = 1; second <= 40; second++) {
    await world.elapse(1000);
    onProgress({ doneBytes: second * 1_000_000, totalBytes: 100_000_000, layers: [] });
  }
  const told = world.events.map(({ message }) => message).filter((text) => text.includes(' of '));
  expect(told.map((text) => text.replace(/^.*": /, ''))).toEqual([
    '16.0 of 100.0 MB',
    '32.0 of 100.0 MB',
  ]);
});

it('says why a reference can’t be an image', async () => {
  world.images.publish('web:1', new ImageError('InvalidImageName', 'not a reference'));
  await world.assign(podNamed());
  expect(container()?.state.waiting?.reason).toBe('InvalidImageName');
  await world.elapse(10_000);
  expect(container()?.state.waiting?.reason).toBe('InvalidImageName');
});
