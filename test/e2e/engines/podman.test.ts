import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { useEngine } from '../../support/containerd-engine.ts';
import { startPodman } from '../../support/podman-engine.ts';
import { waitFor } from '../../support/wait-for.ts';

/** Debian 12's podman 4.3.1 and conmon 2.1.6, whose runtime is orc-oci. */
const engine = useEngine(startPodman);
const podman = (...args: readonly string[]) => engine().run(...args);
const image = 'shell:1';

async function said(...args: readonly string[]): Promise<string> {
  const { code, out, err } = await podman(...args);
  if (code !== 0) throw new Error(`podman ${args.join(' ')}: ${code} ${err}`);
  return out.trim();
}

const once = (script: string, ...flags: readonly string[]) =>
  podman('run', '--rm', '--network', 'none', ...flags, image, 'sh', '-c', script);
/** In the background; it ends with 3 when told to. */
const obeys = 'trap "exit 3" TERM; echo started; while :; do sleep 0.1; done';
const begin = async (name: string, ...flags: readonly string[]) => {
  const network = flags.includes('--network') ? [] : ['--network', 'none'];
  await said('run', '-d', '--name', name, ...network, ...flags, image, 'sh', '-c', obeys);
  await waitFor('its first line', async () => (await said('logs', name)) === 'started');
};
const inspect = (name: string, what: string) => said('inspect', '-f', `{{${what}}}`, name);
const limit = (v2: string, v1: string) =>
  `cat /sys/fs/cgroup/${v2} 2>/dev/null || cat /sys/fs/cgroup/${v1}`;
const memoryLimit = limit('memory.max', 'memory/memory.limit_in_bytes');

describe('podman run', () => {
  it('gives the output and the exit code', async () => {
    const run = await once('echo out; echo err >&2; exit 5');
    expect(run).toEqual({ code: 5, out: 'out\n', err: 'err\n' });
    expect(await said('info', '-f', '{{.Host.OCIRuntime.Version}}')).toContain('orc-oci version');
  });

  it.each([
    [127, 'nope'],
    [126, '/etc/passwd'],
  ])('ends with %i for %s, which is no program', async (code, program) => {
    const run = await podman('run', '--rm', '--network', 'none', image, program);
    expect(run).toMatchObject({ code, err: expect.stringContaining(`exec: "${program}"`) });
  });

  it('runs as the user, with no capabilities and no new privileges, under a filter', async () => {
    const flags = ['--user', '7:8', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'];
    const { out } = await once('id -u; id -g; cat /proc/self/status', ...flags);
    expect(out).toMatch(/^7\n8\n/);
    for (const line of ['CapEff:\t0000000000000000', 'CapBnd:\t0000000000000000'])
      expect(out).toContain(`${line}\n`);
    expect(out).toContain('NoNewPrivs:\t1\n');
    expect(out).toContain('Seccomp:\t2\n');
    const usual = await once('cat /proc/self/status');
    expect(usual.out).toContain('NoNewPrivs:\t0\n');
    expect(usual.out).not.toContain('CapEff:\t0000000000000000');
    const bare = await once('cat /proc/self/status', '--security-opt', 'seccomp=unconfined');
    expect(bare.out).toContain('Seccomp:\t0\n');
  });

  it('has a root file system that is read-only, but for a tmpfs', async () => {
    const script = 'touch /tmp/a && echo fine; touch /a';
    const run = await once(script, '--read-only', '--tmpfs', '/tmp');
    expect(run).toEqual({ code: 1, out: 'fine\n', err: 'touch: /a: Read-only file system\n' });
  });

  it('mounts directories, writable or not, and volumes that stay', async () => {
    const dir = join(engine().dir, 'shared');
    await mkdir(dir);
    await writeFile(join(dir, 'file'), 'from outside\n');
    const script = 'cat /a/file; touch /a/new && echo wrote; touch /b/other; echo kept > /c/file';
    const volumes = [`${dir}:/a`, `${dir}:/b:ro`, 'named:/c'].flatMap((v) => ['-v', v]);
    expect(await once(script, ...volumes)).toEqual({
      code: 0,
      out: 'from outside\nwrote\n',
      err: 'touch: /b/other: Read-only file system\n',
    });
    expect(await once('ls /a; cat /c/file', ...volumes)).toMatchObject({
      out: 'file\nnew\nkept\n',
    });
  });

  it('is killed when it takes more memory than it may', async () => {
    expect(await once('tail /dev/zero', '--memory', '20m')).toMatchObject({ code: 137 });
  });

  it('has no more processes than it may', async () => {
    const script = `${limit('pids.max', 'pids/pids.max')}; for i in 1 2 3 4 5; do sleep 9 & done`;
    const run = await once(script, '--pids-limit', '4');
    expect(run).toMatchObject({ code: 2, out: '4\n', err: expect.stringContaining("can't fork") });
  });

  it('is a shell on a terminal: its size, Ctrl-C, the exit code', async () => {
    const shell = engine().onTerminal('run', '-it', '--rm', '--network', 'none', image, 'sh');
    const shows = (text: string) => waitFor(text, () => shell.out().includes(text), 10_000);
    await shows('# ');
    shell.type('stty size; tty; echo asleep$((2+2)); sleep 600\r');
    await shows('asleep4');
    shell.type('\u0003');
    await shows('^C');
    shell.type('exit 7\r');
    expect(await shell.ended).toBe(7);
    expect(shell.out()).toMatch(/31 91\r\n\/dev\/pts\/0\r\n/);
  });
});

describe('a network', () => {
  const addresses = 'ip -4 -o addr';

  it('is none, the host’s, or a bridge on which containers reach each other', async () => {
    expect((await once(addresses)).out.trim().split('\n')).toEqual([
      expect.stringContaining(' 127.0.0.1/8 '),
    ]);
    await begin('server', '--network', 'podman');
    const address = await inspect('server', '.NetworkSettings.IPAddress');
    expect(address).toMatch(/^10\.88\./);
    await said('exec', '-d', 'server', 'sh', '-c', 'echo reached | nc -l -p 7000');
    const client = `for i in 1 2 3 4 5 6 7 8 9; do nc -w 5 ${address} 7000 && break; usleep 200000; done`;
    const asked = await podman('run', '--rm', image, 'sh', '-c', `${addresses}; ${client}`);
    expect(asked.out).toContain('reached\n');
    expect(asked.out).toMatch(/ eth0 +inet 10\.88\./);
    const host = await podman('run', '--rm', '--network', 'host', image, 'sh', '-c', addresses);
    expect(host.out).toContain(' 10.88.0.1/16 ');
    await said('rm', '-f', '-t', '0', 'server');
  });
});

describe('a container in the background', () => {
  beforeAll(() => begin('box', '--memory', '64m', '--hostname', 'boxed'));

  it('shows its logs, its processes and its state', async () => {
    expect(await said('logs', 'box')).toBe('started');
    expect(await said('top', 'box', 'pid', 'args')).toMatch(/\n1 +sh -c trap/);
    expect(await said('ps', '--format', '{{.Names}} {{.Status}}')).toMatch(/^box Up/);
  });

  it('runs another process in it, with a user, variables and a directory of its own', async () => {
    const flags = ['-e', 'A=b', '-w', '/tmp', '-u', '7:8'];
    const script = 'hostname; id -u; id -g; pwd; echo $A; echo err >&2; exit 9';
    const run = await podman('exec', ...flags, 'box', 'sh', '-c', script);
    expect(run).toMatchObject({ code: 9, out: 'boxed\n7\n8\n/tmp\nb\n', err: 'err\n' });
  });

  it('gives the exit code of a process that ends at once, every time', async () => {
    const codes = new Set<number>();
    for (let i = 0; i < 15 && codes.size < 2; i++)
      codes.add((await podman('exec', 'box', 'sh', '-c', 'exit 9')).code);
    expect([...codes]).toEqual([9]);
  });

  it.each([
    [127, 'nope'],
    [126, '/etc/passwd'],
  ])('ends with %i for exec of %s, which is no program', async (code, program) => {
    const run = await podman('exec', 'box', program);
    expect(run).toMatchObject({ code, err: expect.stringContaining(`exec: "${program}"`) });
  });

  it('has a shell on a terminal beside it', async () => {
    const shell = engine().onTerminal(
      'exec',
      '-it',
      'box',
      'sh',
      '-c',
      'read a; stty size; exit 6',
    );
    shell.type('go\r');
    expect(await shell.ended).toBe(6);
    expect(shell.out()).toContain('31 91\r\n');
  });

  it('stands still while it is paused', async () => {
    await said('pause', 'box');
    expect(await inspect('box', '.State.Status')).toBe('paused');
    expect((await podman('exec', 'box', 'true')).code).not.toBe(0);
    await said('unpause', 'box');
    expect(await inspect('box', '.State.Status')).toBe('running');
    expect((await podman('exec', 'box', 'true')).code).toBe(0);
  });

  it('gets other limits while it runs', async () => {
    expect(await said('exec', 'box', 'sh', '-c', memoryLimit)).toBe(`${64 * 2 ** 20}`);
    await said('update', '--memory', '96m', 'box');
    expect(await said('exec', 'box', 'sh', '-c', memoryLimit)).toBe(`${96 * 2 ** 20}`);
  });

  it('is restarted, and stopped with the exit code of its signal handler', async () => {
    const first = await inspect('box', '.State.Pid');
    await said('restart', '-t', '5', 'box');
    expect(await inspect('box', '.State.Status')).toBe('running');
    expect(await inspect('box', '.State.Pid')).not.toBe(first);
    await waitFor('its second start', async () => (await said('logs', 'box')).split('\n')[1]);
    await said('stop', '-t', '5', 'box');
    expect(await inspect('box', '.State.ExitCode')).toBe('3');
  });

  it('is killed and removed, beside another one that stays', async () => {
    await said('start', 'box');
    await begin('other');
    await said('kill', 'box');
    await waitFor('its end', async () => (await inspect('box', '.State.Status')) === 'exited');
    expect(await inspect('box', '.State.ExitCode')).toBe('137');
    await said('rm', 'box');
    expect(await said('ps', '-a', '--format', '{{.Names}}')).toBe('other');
    expect((await podman('rm', 'other')).code).not.toBe(0);
    await said('rm', '-f', '-t', '0', 'other');
    expect(await said('ps', '-a', '--format', '{{.Names}}')).toBe('');
  });
});
