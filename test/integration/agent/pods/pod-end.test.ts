import { afterEach, beforeEach, expect, it } from 'vitest';
import { type PodWorld, podNamed, podWorld } from '../../../support/pod-world.ts';

let world: PodWorld;
beforeEach(async () => {
  world = await podWorld();
});
afterEach(() => world.stop());

const web = { uid: 'web', name: 'web', attempt: 0 };

async function whatIsLeft(uid = 'web') {
  return {
    sandbox: await world.sandboxes.find(uid),
    containers: await world.containers.list(uid),
    network: await world.network.find(uid),
    volumes: (await world.volumes.list()).includes(uid),
  };
}
const nothing = { sandbox: undefined, containers: [], network: undefined, volumes: false };

const withVolume = (name = 'web') => podNamed(name, { volumes: [{ name: 'data', emptyDir: {} }] });

it('asks the containers of a deleted pod to end, removes all of it, and says so once', async () => {
  await world.assign(withVolume());
  world.containers.ignoreTerm(web);
  await world.delete(withVolume());
  expect(world.report('web')?.terminated).toBe(false);
  world.containers.exit(web, 0);
  await world.elapse(1);
  expect(await whatIsLeft()).toEqual(nothing);
  expect(world.report('web')).toMatchObject({
    terminated: true,
    status: { containerStatuses: [{ state: { terminated: { exitCode: 0 } }, ready: false }] },
  });
  expect(world.reported.filter((r) => r.terminated)).toHaveLength(1);
  expect(world.messages('Killing')).toEqual(['Stopping container web']);
});

it('kills what ignores SIGTERM when its grace has passed, not before', async () => {
  await world.assign(podNamed());
  world.containers.ignoreTerm(web);
  await world.delete(podNamed(), 10);
  await world.elapse(9000);
  expect(await world.containersOf()).toEqual(['web/0 running']);
  await world.elapse(1000);
  expect(world.report('web')?.terminated).toBe(true);
  const { containerStatuses } = world.status() ?? {};
  expect(containerStatuses?.[0]?.state.terminated).toMatchObject({ exitCode: 137, signal: 9 });
});

it('shortens the grace when the pod is deleted again with less', async () => {
  await world.assign(podNamed());
  world.containers.ignoreTerm(web);
  await world.delete(podNamed(), 60);
  await world.elapse(5000);
  await world.delete(podNamed(), 1);
  await world.elapse(1);
  expect(world.report('web')?.terminated).toBe(true);
});

it('waits no moment for a pod whose grace is 0', async () => {
  await world.assign(podNamed());
  world.containers.ignoreTerm(web);
  await world.delete(podNamed(), 0);
  expect(world.report('web')?.terminated).toBe(true);
});

it('does not say that a pod is gone while the kernel has not ended its processes', async () => {
  await world.assign(podNamed());
  world.containers.ignoreKill(web);
  await world.delete(podNamed(), 1);
  await world.elapse(120_000);
  expect(world.report('web')?.terminated).toBe(false);
  expect(await world.containersOf()).toEqual(['web/0 running']);
  await world.forget('web');
  await world.elapse(60_000);
  world.containers.exit(web, 137);
  await world.elapse(1);
  expect(await whatIsLeft()).toEqual(nothing);
});

it('removes a pod whose entry disappears, and forgets its status', async () => {
  await world.assign(withVolume());
  await world.forget('web');
  expect(await whatIsLeft()).toEqual(nothing);
  expect(world.report('web')).toBeUndefined();
});

it('gives a pod whose entry disappears two seconds', async () => {
  await world.assign(podNamed());
  world.containers.ignoreTerm(web);
  await world.forget('web');
  await world.elapse(1000);
  expect(await world.containersOf()).toEqual(['web/0 running']);
  await world.elapse(1000);
  expect(await whatIsLeft()).toEqual(nothing);
});

it('ends a pod whose image is being pulled, and the pull with it', async () => {
  world.images.hold('web:1');
  await world.assign(withVolume());
  expect(world.images.pulls).toHaveLength(1);
  await world.delete(withVolume());
  expect(await whatIsLeft()).toEqual(nothing);
  expect(world.report('web')?.terminated).toBe(true);
  expect(world.messages('Failed')).toEqual([]);
});

it('removes what an earlier agent has left of a pod that is no longer assigned', async () => {
  await world.assign(withVolume());
  await world.restartAgent(() => world.forget('web'));
  expect(await whatIsLeft()).toEqual(nothing);
});

it('goes on ending a pod after a restart of the agent', async () => {
  await world.assign(podNamed());
  world.containers.ignoreTerm(web);
  await world.delete(podNamed(), 10);
  await world.elapse(5000);
  await world.restartAgent();
  await world.elapse(10_000);
  expect(world.report('web')?.terminated).toBe(true);
});

it('removes the rest of a pod although one piece of it can’t be removed yet', async () => {
  await world.assign(withVolume());
  const repair = world.network.breakDetach();
  await world.delete(withVolume());
  expect(await whatIsLeft()).toMatchObject({ ...nothing, network: { uid: 'web' } });
  expect(world.report('web')?.terminated).toBe(false);
  repair();
  await world.elapse(60_000);
  expect(world.report('web')?.terminated).toBe(true);
});

it('sends the image’s own stop signal, also after a restart of the agent', async () => {
  const config = { entrypoint: [], cmd: [], env: [], workingDir: '', user: '', volumes: [] };
  world.images.publish('quit:1', { config: { ...config, stopSignal: 'SIGQUIT' } });
  const pod = podNamed('web', { containers: [{ name: 'web', image: 'quit:1' }] });
  await world.assign(pod);
  await world.restartAgent();
  await world.delete(pod);
  const { containerStatuses } = world.status() ?? {};
  expect(containerStatuses?.[0]?.state.terminated).toMatchObject({ signal: 3 });
});
