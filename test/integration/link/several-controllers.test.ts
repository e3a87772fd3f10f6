import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Pod } from '../../../api/pod.ts';
import { aPod } from '../../support/a-pod.ts';
import {
  type LinkWorld,
  openLinkWorld,
  type TestAgent,
  type TestController,
} from '../../support/link-world.ts';
import { type ScriptedExec, scriptedExec } from '../../support/scripted-exec.ts';
import { waitFor } from '../../support/wait-for.ts';

/** The world's own controller leads at first, in epoch 1; `other` serves the same store. */
let world: LinkWorld;
let other: TestController;
let agent: TestAgent;
let script: ScriptedExec;

beforeEach(async () => {
  script = scriptedExec();
  world = await openLinkWorld();
  other = await world.addController();
  agent = await world.startAgent({
    nodeName: 'host1',
    otherControllers: [`127.0.0.1:${other.port}`],
    handlers: { exec: async () => script.session },
  });
  await waitFor('the leader', () => agent.session.connected);
  await waitFor('the other', () => other.dispatcher.connected() === 1);
});
afterEach(() => world.close());

const keyOf = (name: string) => ({ namespace: 'default', name });

async function assigned(name: string): Promise<Pod> {
  const pod = await world.objects.create(Pod, { ...aPod({}), metadata: keyOf(name) });
  await waitFor(`the assignment of ${name}`, () => agent.ledger.pods().has(pod.metadata.uid));
  return pod;
}

const reportRunning = ({ metadata }: Pod) =>
  agent.report({
    uid: metadata.uid,
    namespace: 'default',
    name: metadata.name,
    generation: { epoch: 1, revision: 1 },
    status: { phase: 'Running' },
    terminated: false,
  });

const isRunning = (name: string) => world.cache.get(Pod, keyOf(name))?.status.phase === 'Running';

async function execThrough(controller: TestController) {
  const { uid } = (await assigned('web')).metadata;
  const target = { ...keyOf('web'), uid, nodeName: 'host1' };
  const request = { container: 'c', command: ['id'], stdin: false, stdout: true, stderr: true };
  const signal = AbortSignal.timeout(5000);
  const { podAccess } = controller.dispatcher;
  const stream = await podAccess.exec(target, { ...request, tty: false }, signal);
  stream.onOutput(() => {});
  return stream;
}

it('takes assignments from the leader and opens sessions for the others', async () => {
  const stream = await execThrough(other);
  expect(agent.ledger.generation()?.epoch).toBe(1);
  script.exit(7);
  expect(await stream.exited).toMatchObject({ exitCode: 7 });
});

it('keeps sessions open when their controller begins to lead, and when it ceases to', async () => {
  const stream = await execThrough(other);
  await world.standDown();
  other.lead();
  await waitFor('the new epoch', () => agent.ledger.generation()?.epoch === 2);
  await other.standDown();
  await waitFor('no leader', () => !agent.session.connected);
  script.exit(8);
  expect(await stream.exited).toMatchObject({ exitCode: 8 });
});

it('follows the leadership from one controller to the other, and reports everything there', async () => {
  const before = await assigned('before');
  await world.standDown();
  reportRunning(before);
  other.lead();
  await waitFor('the new epoch', () => agent.ledger.generation()?.epoch === 2);
  await waitFor('the status that was never heard', () => isRunning('before'));
  reportRunning(await assigned('after'));
  await waitFor('the next status', () => isRunning('after'));
});

it('hangs up on a leader that does not know yet that it is deposed', async () => {
  other.lead();
  await waitFor('the new epoch', () => agent.ledger.generation()?.epoch === 2);
  await waitFor('its end', () => world.dispatcher().connected() === 0);
  const pod = await assigned('web');
  expect(agent.ledger.pods().get(pod.metadata.uid)?.generation.epoch).toBe(2);
  await world.standDown();
  await waitFor('the link to the follower', () => world.dispatcher().connected() === 1);
  expect(agent.session.connected).toBe(true);
});

it('takes its time with a controller that is away, until the leader is lost', async () => {
  let last = performance.now();
  let longest = 0;
  const away = createServer((socket) => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(away, 'listening');
  const { port } = away.address() as AddressInfo;
  try {
    const otherControllers = [`127.0.0.1:${port}`];
    const lone = await world.startAgent({ nodeName: 'host2', otherControllers });
    await waitFor('the leader', () => lone.session.connected);
    // Longer than any without a leader; the next one is three seconds at least.
    await waitFor('a pause', () => longest > 2100, 30_000);
    await waitFor('the end of that try', () => performance.now() - last > 1000);
    const lost = performance.now();
    await world.stopController();
    await waitFor('another dial at once', () => last > lost, 1500);
  } finally {
    away.close();
  }
}, 40_000);
