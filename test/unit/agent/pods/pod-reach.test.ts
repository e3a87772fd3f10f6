import { beforeEach, describe, expect, it } from 'vitest';
import { type PodReachOptions, podReach } from '../../../../agent/pods/pod-reach.ts';
import { type PodWorld, podNamed, podWorld } from '../../../support/pod-world.ts';

type ReadLogs = PodReachOptions['readLogs'];
type LogRequest = Parameters<ReadLogs>[0];

let world: PodWorld;
let asked: { request: LogRequest; ended: AbortSignal }[];
let answer: AsyncIterable<Uint8Array> | undefined;

const readLogs: ReadLogs = async (request, { ended }) => {
  asked.push({ request, ended });
  return answer;
};
const reach = () => podReach({ ...world, logDir: '/logs', readLogs });

beforeEach(async () => {
  world = await podWorld();
  asked = [];
  answer = chunks();
  return () => world.stop();
});
async function* chunks() {
  yield Buffer.from('hello\n');
}

const target = { podUid: 'web', container: 'web' };
const command = {
  ...target,
  command: ['ls'],
  stdin: false,
  stdout: true,
  stderr: true,
  tty: false,
};
const log = { ...target, follow: false, previous: false, timestamps: false };
const web = (attempt: number) => ({ uid: 'web', name: 'web', attempt });
const { signal } = new AbortController();

describe('a command', () => {
  it('runs in the newest attempt of a container', async () => {
    await world.assign(podNamed());
    world.containers.exit(web(0), 1);
    await world.elapse(1000);
    const session = await reach().exec(command);
    const output = new Promise((resolve) =>
      session.onOutput((_, chunk) => resolve(chunk.toString())),
    );
    expect(await output).toBe('ls\n');
    expect(await session.exited).toMatchObject({ exitCode: 0 });
  });

  it.each([
    ['a pod that is not here', { podUid: 'x' }, 'NotFound', 'the pod is not on this node'],
    [
      'a container that the pod does not have',
      { container: 'x' },
      'BadRequest',
      'container x is not valid for this pod',
    ],
  ])('is refused for %s', async (_, change, reason, message) => {
    await world.assign(podNamed());
    await expect(reach().exec({ ...command, ...change })).rejects.toMatchObject({
      reason,
      message,
    });
  });

  it('is refused while the container does not run', async () => {
    await world.assign(podNamed('web', { restartPolicy: 'Never' }));
    world.containers.exit(web(0), 0);
    await expect(reach().exec(command)).rejects.toMatchObject({
      reason: 'BadRequest',
      message: 'container web is not running',
    });
  });
});

describe('an attached client', () => {
  const typing = (stdin: boolean) => ({ ...target, stdin });

  it('reaches the running attempt, and its end', async () => {
    await world.assign(podNamed());
    const session = await reach().attach(typing(false));
    world.containers.exit(web(0), 5);
    expect(await session.exited).toMatchObject({ exitCode: 5 });
  });

  it('may type only where the container’s input is open', async () => {
    const containers = [{ name: 'web', image: 'web:1', stdin: true }];
    await world.assign(podNamed());
    await expect(reach().attach(typing(true))).rejects.toMatchObject({
      reason: 'BadRequest',
      message: 'container web has no stdin: true',
    });
    await world.assign(podNamed('open', { containers }));
    const session = await reach().attach({ ...typing(true), podUid: 'open' });
    const echo = new Promise((resolve) =>
      session.onOutput((_, chunk) => resolve(chunk.toString())),
    );
    session.write(Buffer.from('hello'));
    expect(await echo).toBe('hello');
  });

  it('is refused while the container does not run', async () => {
    await world.assign(podNamed('web', { restartPolicy: 'Never' }));
    world.containers.exit(web(0), 0);
    await expect(reach().attach(typing(false))).rejects.toMatchObject({ reason: 'BadRequest' });
  });
});

describe('a port', () => {
  it('says that nobody listens, or that there is no pod', async () => {
    await world.assign(podNamed());
    const session = await reach().portForward({ podUid: 'web', port: 81 });
    await expect(session.exited).rejects.toMatchObject({
      reason: 'BadRequest',
      message: 'port 81 refuses connections in the pod',
    });
    await expect(reach().portForward({ podUid: 'x', port: 81 })).rejects.toMatchObject({
      reason: 'BadRequest',
      message: 'the pod is not running',
    });
  });
});

describe('a log', () => {
  it('is that of the newest attempt', async () => {
    await world.assign(podNamed());
    world.containers.exit(web(0), 1);
    await world.elapse(1000);
    expect(await reach().logs({ ...log, tailLines: 5, timestamps: true }, signal)).toBe(answer);
    expect(asked[0]?.request).toEqual({
      path: '/logs/default_web_web/web/1.log',
      ...{ timestamps: true, tailLines: 5, follow: false },
      ...{ sinceMs: undefined, limitBytes: undefined },
    });
  });

  it('is that of the attempt before with `previous`', async () => {
    await world.assign(podNamed());
    world.containers.exit(web(0), 1);
    await world.elapse(1000);
    await reach().logs({ ...log, previous: true }, signal);
    expect(asked[0]?.request.path).toBe('/logs/default_web_web/web/0.log');
  });

  it('says that there was no attempt before', async () => {
    await world.assign(podNamed());
    await expect(reach().logs({ ...log, previous: true }, signal)).rejects.toMatchObject({
      reason: 'BadRequest',
      message: 'previous terminated container "web" in pod "web" not found',
    });
  });

  it('says that the container waits to start', async () => {
    world.images.hold('web:1');
    await world.assign(podNamed());
    await expect(reach().logs(log, signal)).rejects.toMatchObject({
      reason: 'BadRequest',
      message: 'container "web" in pod "web" is waiting to start',
    });
  });

  it('ends for a follower when its attempt does, not when another one begins', async () => {
    await world.assign(
      podNamed('web', { containers: ['web', 'b'].map((name) => ({ name, image: 'web:1' })) }),
    );
    await reach().logs({ ...log, follow: true }, signal);
    world.containers.exit({ uid: 'web', name: 'b', attempt: 0 }, 1);
    await world.elapse(1000);
    expect(asked[0]?.ended.aborted).toBe(false);
    world.containers.exit(web(0), 1);
    await world.elapse(1000);
    expect(asked[0]?.ended.aborted).toBe(true);
  });

  it('of an attempt that has ended has its end at once', async () => {
    await world.assign(podNamed('web', { restartPolicy: 'Never' }));
    world.containers.exit(web(0), 0);
    await reach().logs({ ...log, follow: true }, signal);
    expect(asked[0]?.ended.aborted).toBe(true);
  });
});
