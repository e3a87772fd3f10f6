import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ContainerExec, ContainerMount, VolumeSource } from '../../../agent/ports.ts';
import { openVolumes } from '../../../agent/volumes/volumes.ts';
import { noLimits } from '../../support/container-spec.ts';
import { openRuntimeHost, type RuntimeHost } from '../../support/runtime-host.ts';
import { waitFor } from '../../support/wait-for.ts';

const firstId = 1_000_000_000;
const owner = { uid: firstId, gid: firstId };
const never = new AbortController().signal;
const web = { uid: 'a', name: 'web', attempt: 0 };

let host: RuntimeHost;
beforeEach(async () => {
  host = await openRuntimeHost();
  await host.sandbox();
});
afterEach(() => host.end());

const startIdle = () => host.runtime.containers.start(host.spec('exec sleep 1000'), never);
const mount = (source: VolumeSource, over: Partial<ContainerMount> = {}): ContainerMount => ({
  source,
  mountPath: '/v',
  subPath: '',
  readOnly: false,
  ...over,
});

describe('a volume', () => {
  const scratch = async () => {
    const volumes = openVolumes({ volumesDir: `${host.dir}/volumes` });
    const sizeLimitBytes = undefined;
    const medium = 'disk';
    return volumes.ensure('a', { name: 's', owner, kind: 'empty-dir', medium, sizeLimitBytes });
  };
  const pathOf = (source: VolumeSource) => (source.kind === 'directory' ? source.path : '');

  it('is shared, belongs to the pod’s root, and can be mounted read-only', async () => {
    const source = await scratch();
    const first = await host.run('stat -c "%u %a" /v; echo shared > /v/x', {
      mounts: [mount(source)],
    });
    const second = await host.run('cat /v/x; touch /v/y', {
      mounts: [mount(source, { readOnly: true })],
    });
    expect(first.output).toEqual(['0 777']);
    expect(second.output).toEqual(['shared', 'touch: /v/y: Read-only file system']);
    expect(statSync(`${pathOf(source)}/x`).uid).toBe(firstId);
  });

  it('in memory is shared too, and limited', async () => {
    const source = { kind: 'tmpfs', name: 'm', sizeLimitBytes: 65_536, ...owner } as const;
    await host.run('echo shared > /v/x', { mounts: [mount(source)] });
    const { output } = await host.run(
      'cat /v/x; head -c 100000 /dev/zero > /v/big 2>&1; wc -c < /v/big',
      {
        mounts: [mount(source)],
      },
    );
    expect(output[0]).toBe('shared');
    expect(Number(output.at(-1))).toBeLessThanOrEqual(65_536);
  });

  it('shows a part of itself, made if it isn’t there', async () => {
    const source = await scratch();
    await host.run('echo deep > /v/x', { mounts: [mount(source, { subPath: 'new/part' })] });
    expect(readFileSync(`${pathOf(source)}/new/part/x`, 'utf8')).toBe('deep\n');
    expect(statSync(`${pathOf(source)}/new`).uid).toBe(firstId);
  });

  it('shows one of its files', async () => {
    const volumes = openVolumes({ volumesDir: `${host.dir}/volumes` });
    const bytes = Buffer.from('setting\n');
    const files = [{ path: 'conf', bytes, mode: 0o644 }];
    const source = await volumes.ensure('a', { name: 'c', owner, kind: 'files', files });
    const { output } = await host.run('cat /etc/app/conf; echo x > /etc/app/conf', {
      mounts: [mount(source, { subPath: 'conf', mountPath: '/etc/app/conf' })],
    });
    expect(output).toEqual(['setting', expect.stringMatching(/Read-only file system/)]);
  });

  it('never leads outside through a link', async () => {
    const source = await scratch();
    mkdirSync(`${host.dir}/precious`);
    writeFileSync(`${host.dir}/precious/x`, 'secret');
    for (const [name, to] of [
      ['abs', `${host.dir}/precious`],
      ['up', '../../../precious'],
    ] as const)
      symlinkSync(to, `${pathOf(source)}/${name}`);
    for (const subPath of ['abs', 'up', 'abs/x', 'up/x']) {
      const mounts = [mount(source, { subPath })];
      const ended = await host.run('ls -A /v; cat /v/x; touch /v/made', { mounts }).then(
        ({ output }) => output,
        (error: Error) => [error.message],
      );
      expect(ended.join('\n')).not.toContain('secret');
    }
    expect(readdirSync(`${host.dir}/precious`)).toEqual(['x']);
  });
});

describe('a volume whose links change while it is mounted', () => {
  it('never leads outside', async () => {
    const path = `${host.dir}/volumes/a/s`;
    mkdirSync(`${host.dir}/precious`);
    writeFileSync(`${host.dir}/precious/secret`, '');
    const medium = 'disk';
    const volume = {
      name: 's',
      owner,
      kind: 'empty-dir',
      medium,
      sizeLimitBytes: undefined,
    } as const;
    const source = await openVolumes({ volumesDir: `${host.dir}/volumes` }).ensure('a', volume);
    mkdirSync(`${path}/part`);
    symlinkSync(`${host.dir}/precious`, `${path}/link`);
    const id = { ...web, name: 'racer' };
    const racer = 'cd /v; while :; do mv part x; mv link part; mv part link; mv x part; done';
    const logPath = `${host.dir}/logs/default_pod-a_a/racer/0.log`;
    await host.runtime.containers.start(
      host.spec(racer, { id, logPath, mounts: [mount(source)] }),
      never,
    );
    for (let i = 0; i < 40; i++) {
      const mounts = [mount(source, { subPath: 'part' })];
      const seen = await host.run('ls -A /v', { mounts }).then(
        ({ output }) => output,
        () => [],
      );
      expect(seen).not.toContain('secret');
    }
    expect(readdirSync(`${host.dir}/precious`)).toEqual(['secret']);
  });
});

describe('a hostile image', () => {
  it('gets nothing made outside of its root', async () => {
    mkdirSync(`${host.dir}/precious`);
    const evil = `${host.dir}/layers/evil`;
    mkdirSync(`${evil}/etc`, { recursive: true });
    symlinkSync(`${host.dir}/precious/hosts`, `${evil}/etc/hosts`);
    symlinkSync(`../../../../../../${host.dir}/precious/r`, `${evil}/etc/resolv.conf`);
    symlinkSync(`${host.dir}/precious`, `${evil}/work`);
    const spec = host.spec('true');
    const image = { ...spec.image, layers: [...host.layers, evil] };
    await host.run('true', { image, workingDir: '/work/made' });
    expect(readdirSync(`${host.dir}/precious`)).toEqual([]);
  });

  it('with /proc, /sys or /dev as a link is not started', async () => {
    for (const name of ['proc', 'sys', 'dev']) {
      const evil = `${host.dir}/layers/evil-${name}`;
      mkdirSync(evil);
      symlinkSync('/tmp', `${evil}/${name}`);
      const image = { ...host.spec('').image, layers: [host.layers[1]!, evil] };
      const id = { uid: 'a', name: 'evil', attempt: 0 };
      await expect(host.run('true', { id, image })).rejects.toMatchObject({
        reason: 'CreateContainerError',
      });
    }
  });

  it('can’t make the agent wait at a FIFO that is called /etc/passwd', async () => {
    const { output } = await host.run('rm /etc/passwd; mkfifo /etc/passwd; echo made');
    expect(output).toEqual(['made']);
    const [upper] = readdirSync(`${host.dir}/data/pods/a/containers`);
    const layer = `${host.dir}/data/pods/a/containers/${upper}/upper`;
    const image = { ...host.spec('').image, layers: [...host.layers, layer] };
    const id = { uid: 'a', name: 'fifo', attempt: 0 };
    await expect(host.run('true', { id, image })).rejects.toMatchObject({
      reason: 'CreateContainerConfigError',
      message: expect.stringMatching(/not a regular file/),
    });
  });
});

describe('exec', () => {
  const exec = async (script: string, over: Partial<ContainerExec> = {}) => {
    const request = { command: ['sh', '-c', script], stdin: false, terminal: undefined, ...over };
    const session = await host.runtime.containers.exec(web, request);
    const chunks: Buffer[] = [];
    session.onOutput((_, chunk) => chunks.push(chunk));
    return { session, text: () => Buffer.concat(chunks).toString() };
  };

  it('has the container’s environment, directory, user, rights and limits', async () => {
    const spec = host.spec('exec sleep 1000', {
      env: ['COLOR=green'],
      workingDir: '/tmp',
      resources: { ...noLimits, memoryLimitBytes: 33_554_432 },
    });
    const security = { ...spec.security, runAsUser: 33, allowPrivilegeEscalation: false };
    await host.runtime.containers.start({ ...spec, security }, never);
    const { session, text } = await exec(
      'echo $COLOR; pwd; id -u; hostname; cut -d: -f3 /proc/self/cgroup | sort -u; grep -E "^(CapEff|NoNewPrivs|Seccomp:)" /proc/self/status | tr "\\t" " "; ls /proc | grep -c "^1$"',
    );
    expect(await session.exited).toMatchObject({ exitCode: 0 });
    expect(text().trim().split('\n')).toEqual([
      'green',
      '/tmp',
      '33',
      'pod-a',
      '/',
      'CapEff: 0000000000000000',
      'NoNewPrivs: 1',
      'Seccomp: 2',
      '1',
    ]);
  });

  it('has a terminal if asked', async () => {
    await startIdle();
    const terminal = { columns: 90, rows: 30 };
    const { session, text } = await exec('tty; stty size; echo $TERM', { terminal, stdin: true });
    expect(await session.exited).toMatchObject({ exitCode: 0 });
    expect(text().split('\r\n').slice(0, 3)).toEqual(['/dev/pts/0', '30 90', 'xterm']);
  });

  it('says why a command can’t be executed', async () => {
    await startIdle();
    const request = { command: ['missing'], stdin: false, terminal: undefined };
    const problem = host.runtime.containers
      .exec(web, request)
      .then((session) => session.exited)
      .catch((error: unknown) => error);
    expect(await problem).toMatchObject({
      reason: 'StartError',
      message: 'exec: "missing": executable file not found in $PATH',
    });
  });
});

describe('a new agent', () => {
  it('finds what runs and what has ended, and goes on with it', async () => {
    await startIdle();
    await host.run('exit 4', { id: { ...web, name: 'job' } });
    await host.restart();
    const all = await host.runtime.containers.list('a');
    expect(all.map(({ id, state, exit }) => [id.name, state, exit?.exitCode])).toEqual([
      ['web', 'running', undefined],
      ['job', 'exited', 4],
    ]);
    const request = { command: ['echo', 'again'], stdin: false, terminal: undefined };
    const session = await host.runtime.containers.exec(web, request);
    expect(await session.exited).toMatchObject({ exitCode: 0 });
    const changes: string[] = [];
    host.runtime.containers.onChange((uid) => changes.push(uid));
    await host.runtime.containers.kill(web, 9);
    await waitFor('the exit to be told', () => changes.includes('a'));
  });

  it('goes on where an earlier one was interrupted in the making of a sandbox', async () => {
    const path = `${host.dir}/data/pods/a/sandbox.json.complete`;
    for (const interrupt of ['before the shim', 'after it'] as const) {
      if (interrupt === 'before the shim') {
        const pid = host.shimPid('a');
        process.kill(pid, 'SIGKILL');
        await waitFor(
          'the loss',
          async () => (await host.runtime.sandboxes.find('a'))?.state === 'lost',
        );
      }
      rmSync(path);
      await host.restart();
      expect(await host.runtime.sandboxes.find('a')).toMatchObject({ state: 'lost' });
      await host.sandbox();
      expect(await host.runtime.sandboxes.find('a')).toMatchObject({ state: 'ready' });
      const { output } = await host.run('hostname');
      expect(output).toEqual(['pod-a']);
    }
  });

  it('brings the pod’s hosts file up to date in running containers', async () => {
    await host.runtime.containers.start(
      host.spec('until grep -q 10.244.0.5 /etc/hosts; do sleep 0.01; done; echo seen'),
      never,
    );
    await host.sandbox({ hosts: '10.244.0.5 pod-a\n' });
    await waitFor('the end', async () => (await host.state())?.state === 'exited');
    expect((await host.state())?.exit?.exitCode).toBe(0);
  });
});

/** An orphan that has ended is there until the host's first process has reaped it. */
function isRunning(pid: number): boolean {
  return (
    existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  );
}

describe('the end of a pod', () => {
  const leftovers = () => ({
    data: existsSync(`${host.dir}/data/pods/a`),
    run: existsSync(`${host.dir}/run/pods/a`),
    logs: existsSync(`${host.dir}/logs/default_pod-a_a`),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').includes(host.dir),
  });
  const nothing = { data: false, run: false, logs: false, mounts: false };

  it('leaves no process, mount, cgroup or directory', async () => {
    await startIdle();
    const pids = [(await host.state())?.pid ?? 0, host.shimPid('a')];
    await host.runtime.sandboxes.remove('a');
    expect(leftovers()).toEqual(nothing);
    expect(await host.cgroups.list()).toEqual([]);
    expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
  });

  it('is seen to when its records are gone, as after a new disk', async () => {
    await startIdle();
    const pid = (await host.state())?.pid ?? 0;
    rmSync(`${host.dir}/data/pods/a`, { recursive: true });
    await host.restart();
    const lost = expect.objectContaining({ uid: 'a', state: 'lost' });
    expect(await host.runtime.sandboxes.list()).toEqual([lost]);
    expect(await host.runtime.sandboxes.find('a')).toEqual(lost);
    await host.runtime.sandboxes.remove('a');
    expect(leftovers()).toEqual(nothing);
    expect(await host.cgroups.list()).toEqual([]);
    expect(await host.runtime.sandboxes.find('a')).toBeUndefined();
    await waitFor('its last process to end', () => !isRunning(pid));
  });

  it('leaves nothing after the shim was killed either', async () => {
    await startIdle();
    const pid = (await host.state())?.pid ?? 0;
    process.kill(host.shimPid('a'), 'SIGKILL');
    await waitFor('the loss', async () => (await host.state())?.state === 'lost');
    await host.runtime.sandboxes.remove('a');
    expect(leftovers()).toEqual(nothing);
    expect(await host.cgroups.list()).toEqual([]);
    await waitFor('its last process to end', () => !isRunning(pid));
  });

  it('leaves nothing of a sandbox that was never finished', async () => {
    await host.runtime.sandboxes.remove('a');
    mkdirSync(`${host.dir}/data/pods/a/etc`, { recursive: true });
    chownSync(`${host.dir}/data/pods/a/etc`, 1, 1);
    expect(await host.runtime.sandboxes.list()).toMatchObject([{ uid: 'a', state: 'lost' }]);
    await host.runtime.sandboxes.remove('a');
    expect(leftovers()).toEqual(nothing);
  });
});
