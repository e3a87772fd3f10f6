import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ContainerSpec } from '../../../agent/ports.ts';
import { crunCommand, hangingRuntime, runcBinary } from '../../support/other-runtime.ts';
import { logLines, openRuntimeHost, type RuntimeHost } from '../../support/runtime-host.ts';
import { waitFor } from '../../support/wait-for.ts';

let dir: string;
let host: RuntimeHost;
let attempt = 0;
const never = new AbortController().signal;

beforeAll(async () => {
  dir = mkdtempSync(`${tmpdir()}/orc-runtimes-`);
  host = await openRuntimeHost({ runc: await runcBinary(), crun: await crunCommand(dir) });
});
afterAll(async () => {
  await host?.end();
  rmSync(dir, { recursive: true });
});

async function start(script: string, over: Partial<ContainerSpec> = {}) {
  const id = { uid: 'a', name: 'web', attempt: attempt++ };
  const logPath = `${host.dir}/logs/default_pod-a_a/web/${id.attempt}.log`;
  await host.runtime.containers.start(host.spec(script, { id, logPath, ...over }), never);
  const ended = () =>
    waitFor('the container’s end', async () => (await host.state('web', id.attempt))?.exit);
  return { id, ended, log: () => logLines(logPath) };
}

async function exec(id: ContainerSpec['id'], script: string, input?: string) {
  const request = {
    command: ['sh', '-c', script],
    stdin: input !== undefined,
    terminal: undefined,
  };
  const session = await host.runtime.containers.exec(id, request);
  let output = '';
  session.onOutput((stream, chunk) => {
    output += `${stream}: ${chunk.toString()}`;
  });
  if (input !== undefined) session.write(Buffer.from(input));
  session.endInput();
  const { exitCode } = await session.exited;
  return { output, exitCode };
}

/** Where the runtime's groups can be: below the pods', and in other trees where this process is. */
function leftGroups(): readonly string[] {
  const pods = host.cgroups.directories('').flatMap(({ path }) => {
    return readdirSync(path, { recursive: true, encoding: 'utf8' });
  });
  return [...pods, ...groupsBeside()].filter((path) => path.includes('orc-a-web'));
}

function groupsBeside(): readonly string[] {
  const trees = readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n');
  return trees.flatMap((line) => {
    const [, tree = '', path = ''] = line.split(':');
    const directory = `/sys/fs/cgroup/${tree.replace('name=', '') || 'unified'}${path}`;
    return existsSync(directory) ? readdirSync(directory).map((name) => join(directory, name)) : [];
  });
}

/** What each says of a program that isn't there: to `create`, and to `exec`. */
const missing = {
  runc: [
    /runc: .*exec: "\/no-such": stat \/no-such: no such file or directory/,
    /runc: .*\/no-such: no such file or directory/,
  ],
  crun: [
    /crun: executable file `\/no-such` not found.*: No such file or directory/,
    /crun: executable file `\/no-such` not found.*: No such file or directory/,
  ],
} as const;

describe.each(['runc', 'crun'] as const)('a container of Debian’s %s', (name) => {
  beforeAll(() => host.sandbox({ runtimeHandler: name }));
  afterAll(() => host.runtime.sandboxes.remove('a'));

  it('runs as process 1 of its own, is logged, and ends with its exit code', async () => {
    const { ended, log } = await start('echo $PPID $$; echo err >&2; exit 7');
    expect(await ended()).toMatchObject({ exitCode: 7, signal: undefined, oomKilled: false });
    expect(log().toSorted()).toEqual(['0 1', 'err']);
  });

  it('leaves the host’s null device whose it was, and has nothing to read', async () => {
    const { ended, log } = await start('cat; echo read to the end');
    await ended();
    expect(log()).toEqual(['read to the end']);
    expect(statSync('/dev/null').uid).toBe(0);
  });

  it('has the pod’s namespaces, files, limits and a sub path of a volume', async () => {
    const path = `${host.dir}/volume`;
    mkdirSync(`${path}/inner`, { recursive: true });
    writeFileSync(`${path}/inner/file`, 'of the volume\n');
    const source = { kind: 'directory', name: 'v', path, readOnly: false } as const;
    const { ended, log, id } = await start(
      'hostname; cat /etc/hostname /mnt/file; cat /proc/self/uid_map; grep Seccomp: /proc/1/status; sleep 1000',
      { mounts: [{ source, mountPath: '/mnt', subPath: 'inner', readOnly: true }] },
    );
    await waitFor('five lines', async () => log().length === 5);
    const [hostname, ...rest] = log();
    expect(rest.slice(0, 2)).toEqual([hostname, 'of the volume']);
    expect(rest[2]?.trim().split(/ +/)).toEqual(['0', '1000000000', '65536']);
    expect(rest[3]).toBe('Seccomp:\t2');
    const pid = (await host.state('web', id.attempt))?.pid;
    const spaces = (of: number | undefined) =>
      ['net', 'ipc', 'uts', 'user'].map((type) => readlinkSync(`/proc/${of}/ns/${type}`));
    const shim = namespacesHeld(host.shimPid('a'));
    expect(spaces(pid).filter((space) => !shim.includes(space))).toEqual([]);
    await host.runtime.containers.kill(id, 9);
    expect(await ended()).toMatchObject({ exitCode: 137, signal: 9 });
  });

  it('takes signals and further processes by its runtime’s verbs, also those of a new agent', async () => {
    const { id, ended, log } = await start(
      'trap "echo term; exit 3" TERM; while :; do sleep 0.1; done',
    );
    expect(await exec(id, 'cat; echo e >&2; exit 5', 'typed')).toEqual({
      output: 'stdout: typedstderr: e\n',
      exitCode: 5,
    });
    await host.restart();
    expect(await exec(id, 'kill -9 $$')).toEqual({ output: '', exitCode: 137 });
    await host.runtime.containers.kill(id, 15);
    expect((await ended())?.exitCode).toBe(3);
    expect(log()).toEqual(['term']);
  });

  it('says in its runtime’s words what can’t be executed, and leaves nothing of it', async () => {
    await expect(start('', { command: ['/no-such'] })).rejects.toThrow(missing[name][0]);
    expect(await host.state('web', attempt - 1)).toBeUndefined();
    const { id } = await start('sleep 1000');
    const request = { command: ['/no-such'], stdin: false, terminal: undefined };
    const session = await host.runtime.containers.exec(id, request);
    await expect(session.exited).rejects.toThrow(missing[name][1]);
  });

  it('has its process beside the first one killed when its client hangs up', async () => {
    const { id } = await start('while :; do sleep 0.1; done');
    const command = ['sh', '-c', 'echo $$; exec sleep 1000'];
    const session = await host.runtime.containers.exec(id, {
      ...{ command, stdin: false, terminal: undefined },
    });
    const pid = await new Promise<number>((resolve) => {
      session.onOutput((_, chunk) => resolve(Number(chunk)));
    });
    const isThere = async () => (await exec(id, `test -d /proc/${pid}`)).exitCode === 0;
    expect(await isThere()).toBe(true);
    session.close();
    await waitFor('its end', async () => !(await isThere()));
  });

  it('is removed with everything that its runtime knew of it', async () => {
    const { id, ended } = await start('exit 0');
    await ended();
    await host.runtime.containers.remove(id);
    expect(leftGroups().filter((path) => path.endsWith(`web-${id.attempt}`))).toEqual([]);
    await host.runtime.sandboxes.remove('a');
    expect(leftGroups()).toEqual([]);
    expect(readdirSync(`${host.dir}/run/pods`)).toEqual([]);
    await host.sandbox({ runtimeHandler: name });
  });
});

describe('a runtime that doesn’t end', () => {
  let other: RuntimeHost;
  const hang = (verb: string) => writeFileSync(`${dir}/hang-${verb}`, '');
  const isThere = () => existsSync(`/proc/${readFileSync(`${dir}/pid`, 'utf8').trim()}`);
  const id = { uid: 'a', name: 'web', attempt: 0 };

  beforeAll(async () => {
    other = await openRuntimeHost({ hanging: await hangingRuntime(dir) });
    await other.sandbox({ runtimeHandler: 'hanging' });
    await other.runtime.containers.start(other.spec('sleep 1000', { id }), never);
  });
  afterAll(async () => {
    for (const name of readdirSync(dir).filter((each) => each.startsWith('hang-')))
      rmSync(`${dir}/${name}`);
    await other?.end();
    // Its runtime was not let delete them.
    for (const path of groupsBeside()) if (path.endsWith('/orc-a-web-0')) rmdirSync(path);
  });

  it('goes with the client that it is at work for, and leaves no file', async () => {
    hang('exec');
    const request = { command: ['true'], stdin: false, terminal: undefined };
    const session = await other.runtime.containers.exec(id, request);
    await waitFor('the runtime', () => existsSync(`${dir}/pid`) && isThere());
    session.close();
    await waitFor('its end', () => !isThere());
    const files = () => readdirSync(`${other.dir}/data`, { recursive: true, encoding: 'utf8' });
    await waitFor('its files', () => !files().some((path) => path.includes('exec-')));
  });

  it('keeps no container from ending, and none from being removed', async () => {
    hang('kill');
    await other.runtime.containers.kill(id, 9);
    await waitFor('the runtime’s end', () => !isThere());
    const exit = await waitFor('its end', async () => (await other.state())?.exit);
    expect(exit).toMatchObject({ exitCode: 137, signal: 9 });
    hang('delete');
    await other.runtime.containers.remove(id);
    await waitFor('the runtime’s end', () => !isThere());
    expect(await other.state()).toBeUndefined();
  });
});

describe('a pod of a runtime that the node lacks', () => {
  it('gets no sandbox, and is told so', async () => {
    const wanted = host.sandbox({ uid: 'b', name: 'pod-b', runtimeHandler: 'kata' });
    await expect(wanted).rejects.toMatchObject({
      cause: { message: 'no runtime for handler "kata" is configured on this node' },
    });
  });
});

function namespacesHeld(pid: number): readonly string[] {
  const fds = readdirSync(`/proc/${pid}/fd`);
  return fds.map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
}
