import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { readExits } from '../../../agent/kernel/exit-records.ts';
import { startLauncher } from '../../../agent/kernel/launcher.ts';
import { connectShim, type Shim } from '../../../agent/kernel/shim-client.ts';
import { silentLog } from '../../../base/log.ts';
import { nativeBinary } from '../../../native/binary.ts';
import {
  createSandbox,
  execIn,
  type NativePod,
  overlayRoot,
  startContainer,
  startPod,
} from '../../support/native-pod.ts';

let pod: NativePod;

beforeEach(async () => {
  pod = await startPod();
  await createSandbox(pod);
  await pod.shim.run(overlayRoot(pod));
});

afterEach(() => pod.end());

/** What init has only to reap is dead. */
function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

const runDir = () => `${pod.dir}/run`;

describe('a shim', () => {
  it('is found again with its containers, and tells what has ended meanwhile', async () => {
    const running = await startContainer(pod, { container: 'running', argv: ['sleep', '1000'] });
    await startContainer(pod, { container: 'ending', argv: ['sh', '-c', 'sleep 0.1; exit 5'] });
    pod.shim.disconnect();
    await expect.poll(async () => (await readExits(runDir())).length).toBe(1);
    const again = (await connectShim(runDir()))!;
    const list = [...(await again.list())].sort((a, b) => a.container.localeCompare(b.container));
    expect({ pid: again.pid, list }).toMatchObject({
      pid: pod.shim.pid,
      list: [
        { container: 'ending', exit: { exitCode: 5 } },
        { container: 'running', pid: running.pid, exit: undefined },
      ],
    });
    await again.shutdown();
  });

  it('goes on when launcher and agent are killed', async () => {
    const agent = await startAgent(`${pod.dir}/other`);
    const shim = (await connectShim(`${pod.dir}/other`))!;
    onTestFinished(() => shim.shutdown());
    process.kill(agent.launcherPid, 'SIGKILL');
    process.kill(agent.child.pid!, 'SIGKILL');
    await expect.poll(() => isAlive(agent.launcherPid)).toBe(false);
    const again = (await connectShim(`${pod.dir}/other`))!;
    expect(await again.list()).toMatchObject([{ container: 'c', pid: agent.containerPid }]);
    await again.kill('c', 9);
    await expect.poll(async () => (await again.list())[0]?.exit?.signal).toBe(9);
    again.disconnect();
    expect(isAlive(agent.containerPid)).toBe(false);
  });

  it('serves several agents, and tells each of an exit', async () => {
    const second = (await connectShim(runDir()))!;
    const exits = [pod.shim, second].map(nextExit);
    await startContainer(pod, { container: 'short', argv: ['sh', '-c', 'exit 2'] });
    const expected = { container: 'short', exit: { exitCode: 2 } };
    expect(await Promise.all(exits)).toMatchObject([expected, expected]);
    second.disconnect();
  });

  it('takes its containers and their processes along when it is killed', async () => {
    const { pid } = await startContainer(pod, { container: 'c', argv: ['sleep', '1000'], uid: 7 });
    const session = await execIn(pod, 'c', { argv: ['sleep', '1000'], uid: 7 });
    await expect.poll(() => processesNamed(pid)).toHaveLength(2);
    const lost = Promise.withResolvers<void>();
    pod.shim.onLost(() => lost.resolve());
    const space = processesNamed(pid);
    process.kill(pod.shim.pid, 'SIGKILL');
    await lost.promise;
    await expect(session.exited).rejects.toThrow();
    // The first process is gone when init has reaped the exec'd one: here and there that takes a while.
    await expect.poll(() => space.filter(isAlive), { timeout: 30_000 }).toEqual([]);
    expect(await connectShim(runDir())).toBeUndefined();
    await expect(pod.shim.list()).rejects.toThrow('list containers: the shim is gone');
  });

  it('ends with everything it holds, when it is told to', async () => {
    const { pid } = await startContainer(pod, { container: 'c', argv: ['sleep', '1000'] });
    await execIn(pod, 'c', { argv: ['sleep', '1000'] });
    await pod.shim.shutdown();
    expect(isAlive(pid)).toBe(false);
    await expect.poll(() => isAlive(pod.shim.pid)).toBe(false);
    expect(existsSync(`${runDir()}/shim.sock`)).toBe(false);
    expect(await readExits(runDir())).toMatchObject([{ container: 'c', exit: { signal: 9 } }]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(pod.dir);
  });

  it('is its directory’s only one', async () => {
    const second = pod.launcher.startShim({ runDir: runDir(), cgroupProcs: [] });
    await expect(second).rejects.toThrow('start shim: lock run dir: EAGAIN');
  });

  it('speaks to nobody but its own user, even where the socket would let others in', async () => {
    for (const path of [pod.dir, runDir()]) chmodSync(path, 0o755);
    chmodSync(`${runDir()}/shim.sock`, 0o666);
    const script = `require('net').connect('${runDir()}/shim.sock')
      .on('data', (bytes) => process.stdout.write('heard ' + bytes.length, () => process.exit()))
      .on('error', (error) => process.stdout.write(error.code))
      .on('close', () => process.stdout.write(' closed'))`;
    const ask = (uid: number) =>
      spawnSync(process.execPath, ['-e', script], { uid, encoding: 'utf8', timeout: 2_000 });
    expect(ask(65_534).stdout).toMatch(/^(ECONNRESET)? closed$/);
    expect(ask(0).stdout).toBe('heard 32');
  });

  it('is found below a path that is too long for a socket', async () => {
    const dir = `${pod.dir}/${'long-'.repeat(30)}`;
    mkdirSync(dir);
    const shim = await pod.launcher.startShim({ runDir: dir, cgroupProcs: [] });
    const again = await connectShim(dir);
    expect(again?.pid).toBe(shim.pid);
    again?.disconnect();
    await shim.shutdown();
  });

  it('runs from a sealed copy in memory, not from the file on disk', () => {
    expect(readFileSync(`/proc/${pod.shim.pid}/maps`, 'utf8')).toContain('/memfd:orc-native');
    expect(readFileSync(`/proc/${pod.shim.pid}/maps`, 'utf8')).not.toContain(nativeBinary);
  });

  it('is not there where nobody listens', async () => {
    expect(await connectShim(`${pod.dir}/absent`)).toBeUndefined();
  });
});

describe('the launcher', () => {
  it('says what was wrong with a start', async () => {
    const absent = `${pod.dir}/absent`;
    const nowhere = pod.launcher.startShim({ runDir: absent, cgroupProcs: [] });
    await expect(nowhere).rejects.toThrow('start shim: open run dir: ENOENT');
    const runDir = `${pod.dir}/other`;
    mkdirSync(runDir);
    for (const birthplace of [
      { cgroupProcs: [`${absent}/cgroup.procs`] },
      { cgroupProcs: [], cgroup2Dir: absent },
    ]) {
      const broken = pod.launcher.startShim({ runDir, ...birthplace });
      await expect(broken).rejects.toThrow('start shim: join cgroup: ENOENT');
    }
  });

  it('leaves no zombie of a shim that has ended', async () => {
    await pod.shim.shutdown();
    await expect.poll(() => existsSync(`/proc/${pod.shim.pid}`)).toBe(false);
  });

  it('is started again when it was killed', async () => {
    process.kill(launcherPid(), 'SIGKILL');
    const dir = `${pod.dir}/again`;
    mkdirSync(dir);
    await expect
      .poll(async () => {
        const shim = await pod.launcher.startShim({ runDir: dir, cgroupProcs: [] }).catch(String);
        return typeof shim === 'string' ? shim : shim.shutdown();
      })
      .toBe(undefined);
  });

  it('answers, but not while it is stopped', async () => {
    await pod.launcher.answers();
    process.kill(launcherPid(), 'SIGSTOP');
    const order: string[] = [];
    const answered = pod.launcher.answers().then(() => order.push('answered'));
    await pod.shim.list();
    order.push('the shim did');
    process.kill(launcherPid(), 'SIGCONT');
    await answered;
    expect(order).toEqual(['the shim did', 'answered']);
  });

  it('refuses starts once it was closed', async () => {
    const launcher = startLauncher({ binary: nativeBinary, log: silentLog });
    launcher.close();
    const start = launcher.startShim({ runDir: runDir(), cgroupProcs: [] });
    await expect(start).rejects.toThrow('the launcher ended');
  });
});

function nextExit(shim: Shim): Promise<unknown> {
  return new Promise((resolve) => shim.onExit(resolve));
}

/** This process' only child so far: shims aren't its children. */
function launcherPid(): number {
  const [pid] = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').split(
    ' ',
  );
  expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toContain('orc-launch');
  return Number(pid);
}

/** All processes in the pid namespace of `pid`, as the host numbers them. */
function processesNamed(pid: number): readonly number[] {
  const children = readFileSync(`/proc/${pod.shim.pid}/task/${pod.shim.pid}/children`, 'utf8');
  expect(children).toContain(String(pid));
  return children.trim().split(' ').map(Number);
}

interface Agent {
  readonly child: ChildProcess;
  readonly launcherPid: number;
  readonly containerPid: number;
}

/** A process that starts a shim and a container as an agent does, and then only waits. */
async function startAgent(dir: string): Promise<Agent> {
  mkdirSync(`${dir}/upper`, { recursive: true });
  const script = new URL('../../support/lone-agent.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, dir, pod.layer], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pids = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    child.once('exit', (code) => reject(new Error(`the agent ended with ${code}`)));
  });
  const [launcherPid = 0, containerPid = 0] = pids.trim().split(' ').map(Number);
  return { child, launcherPid, containerPid };
}
