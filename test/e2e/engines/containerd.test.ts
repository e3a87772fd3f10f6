import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { shellImage as image, startContainerd } from '../../support/containerd-engine.ts';
import { useEngine } from '../../support/use-engine.ts';
import { waitFor } from '../../support/wait-for.ts';

/** Debian 12's containerd 1.6.20 and its ctr, whose runtime is orc-oci. This ctr can't restart, nor update limits. */
const engine = useEngine(startContainerd);
const ctr = (...args: readonly string[]) => engine().run(...args);
let count = 0;
const onceId = () => `once${count++}`;

async function said(...args: readonly string[]): Promise<string> {
  const { code, out, err } = await ctr(...args);
  if (code !== 0) throw new Error(`ctr ${args.join(' ')}: ${code} ${err}`);
  return out.trim();
}

const once = (script: string, ...flags: readonly string[]) =>
  ctr('run', '--rm', ...flags, image, onceId(), 'sh', '-c', script);
/** In the background; it ends with 3 when told to. */
const obeys = 'trap "exit 3" TERM; echo started; while :; do sleep 0.1; done';
const logOf = async (name: string) => readFile(join(engine().dir, `${name}.log`), 'utf8');
const started = (name: string, times = 1) =>
  waitFor('its first line', async () => (await logOf(name)) === 'started\n'.repeat(times));
const begin = async (name: string, ...flags: readonly string[]) => {
  const log = `file://${join(engine().dir, `${name}.log`)}`;
  await said('run', '-d', '--log-uri', log, ...flags, image, name, 'sh', '-c', obeys);
  await started(name);
};
const exec = (name: string, script: string, ...flags: readonly string[]) =>
  ctr('task', 'exec', '--exec-id', onceId(), ...flags, name, 'sh', '-c', script);
const status = async (name: string) =>
  new RegExp(`^${name} +\\d+ +(\\w+)`, 'm').exec(await said('task', 'ls'))?.[1];
const becomes = (name: string, wanted: string) =>
  waitFor(wanted, async () => (await status(name)) === wanted);

describe('ctr run', () => {
  it('gives the output and the exit code', async () => {
    const run = await once('echo out; echo err >&2; exit 5');
    expect(run).toEqual({ code: 5, out: 'out\n', err: 'err\n' });
  });

  it.each([
    ['nope', 'executable file not found in $PATH'],
    ['/etc/passwd', 'permission denied'],
  ])('says of %s, which is no program: %s', async (program, reason) => {
    const run = await ctr('run', '--rm', image, onceId(), program);
    const err = expect.stringContaining(`exec: "${program}": ${reason}: unknown\n`);
    expect(run).toMatchObject({ code: 1, err });
    expect(await said('container', 'ls', '-q')).toBe('');
  });

  it('drops capabilities, allows new privileges or not, and has a filter', async () => {
    const usual = await once('cat /proc/self/status');
    expect(usual.out).toContain('CapEff:\t00000000a80425fb\n');
    expect(usual.out).toContain('NoNewPrivs:\t1\n');
    expect(usual.out).toContain('Seccomp:\t0\n');
    const flags = ['--cap-drop', 'CAP_CHOWN', '--allow-new-privs', '--seccomp'];
    const other = await once('cat /proc/self/status; chown 1 /tmp', ...flags);
    for (const set of ['CapPrm', 'CapEff', 'CapBnd'])
      expect(other.out).toContain(`${set}:\t00000000a80425fa\n`);
    expect(other.out).toContain('NoNewPrivs:\t0\n');
    expect(other.out).toContain('Seccomp:\t2\n');
    expect(other).toMatchObject({ code: 1, err: 'chown: /tmp: Operation not permitted\n' });
  });

  it('has variables, a directory and a root file system that is read-only', async () => {
    const flags = ['--env', 'A=b', '--cwd', '/tmp', '--read-only'];
    const run = await once('echo $A; pwd; touch a', ...flags);
    expect(run).toEqual({ code: 1, out: 'b\n/tmp\n', err: 'touch: a: Read-only file system\n' });
  });

  it('mounts directories, writable or not', async () => {
    const dir = join(engine().dir, 'shared');
    await mkdir(dir);
    await writeFile(join(dir, 'file'), 'from outside\n');
    const mounts = ['/a,options=rbind:rw', '/b,options=rbind:ro'];
    const flags = mounts.flatMap((to) => ['--mount', `type=bind,src=${dir},dst=${to}`]);
    const run = await once('cat /b/file; touch /a/new; touch /b/other', ...flags);
    expect(run).toEqual({
      code: 1,
      out: 'from outside\n',
      err: 'touch: /b/other: Read-only file system\n',
    });
    expect(await readFile(join(dir, 'new'), 'utf8')).toBe('');
  });

  it('is killed when it takes more memory than it may', async () => {
    const run = await once('tail /dev/zero', '--memory-limit', '20000000');
    expect(run).toMatchObject({ code: 137 });
  });

  it('has a network of its own, or the host’s', async () => {
    const inside = await once('readlink /proc/self/ns/net; ip -4 -o addr');
    expect(inside.out).toMatch(/^net:.*\n1: lo +inet 127\.0\.0\.1\/8 .*\n$/);
    const first = async (...flags: readonly string[]) =>
      (await once('readlink /proc/self/ns/net', ...flags)).out;
    expect(await first('--net-host')).toBe(await first('--net-host'));
    expect(await first()).not.toBe(await first('--net-host'));
  });

  it('is a shell on a terminal: its size, Ctrl-C, the exit code', async () => {
    const shell = engine().onTerminal('run', '-t', '--rm', image, onceId(), 'sh');
    const shows = (text: string) => waitFor(text, () => shell.out().includes(text), 10_000);
    await shows('# ');
    shell.type('until [ "$(stty size)" = "31 91" ]; do :; done; tty; echo asleep$((2+2)); cat\r');
    await shows('asleep4');
    shell.type('\u0003');
    await shows('^C');
    shell.type('exit 7\r');
    expect(await shell.ended).toBe(7);
    expect(shell.out()).toMatch(/^\/dev\/pts\/0\r/m);
  });
});

describe('a container in the background', () => {
  beforeAll(() => begin('box', '--memory-limit', `${64 * 2 ** 20}`));

  it('writes its log, and shows its processes and limits', async () => {
    expect(await logOf('box')).toBe('started\n');
    expect(await status('box')).toBe('RUNNING');
    const pid = /^box +(\d+)/m.exec(await said('task', 'ls'))?.[1];
    expect(await said('task', 'ps', 'box')).toMatch(new RegExp(`^${pid} `, 'm'));
    expect(await said('task', 'metrics', 'box')).toMatch(/^memory\.\w*limit\w* +67108864 *$/m);
  });

  it('runs another process in it, with a user and a directory of its own', async () => {
    const run = await exec(
      ...['box', 'id -u; id -g; pwd; echo err >&2; exit 9'],
      ...['--user', '7:8', '--cwd', '/tmp'],
    );
    expect(run).toEqual({ code: 9, out: '7\n8\n/tmp\n', err: 'err\n' });
  });

  it('gives the exit code of a process that ends at once, every time', async () => {
    const codes = new Set<number>();
    for (let i = 0; i < 15 && codes.size < 2; i++) codes.add((await exec('box', 'exit 9')).code);
    expect([...codes]).toEqual([9]);
  });

  it.each([
    ['nope', 'executable file not found in $PATH'],
    ['/etc/passwd', 'permission denied'],
  ])('says of exec of %s, which is no program: %s', async (program, reason) => {
    const run = await ctr('task', 'exec', '--exec-id', onceId(), 'box', program);
    const err = expect.stringContaining(`exec: "${program}": ${reason}: unknown\n`);
    expect(run).toMatchObject({ code: 1, err });
  });

  it('has a shell on a terminal beside it', async () => {
    const script = 'until [ "$(stty size)" = "31 91" ]; do :; done; read a; echo got $a; exit 6';
    const words = ['task', 'exec', '-t', '--exec-id', onceId(), 'box', 'sh', '-c', script];
    const shell = engine().onTerminal(...words);
    shell.type('this\r');
    expect(await shell.ended).toBe(6);
    expect(shell.out()).toMatch(/^got this\r/m);
  });

  it('stands still while it is paused', async () => {
    await said('task', 'pause', 'box');
    expect(await status('box')).toBe('PAUSED');
    expect((await exec('box', 'true')).code).not.toBe(0);
    await said('task', 'resume', 'box');
    expect(await status('box')).toBe('RUNNING');
    expect(await exec('box', 'true')).toMatchObject({ code: 0 });
  });

  it('stops with the exit code of its signal handler, and starts again', async () => {
    await said('task', 'kill', '-s', 'SIGTERM', 'box');
    await becomes('box', 'STOPPED');
    const { err } = await ctr('task', 'delete', 'box');
    expect(err).toContain('task box exit with non-zero exit code 3');
    await said('task', 'start', '-d', 'box');
    await becomes('box', 'RUNNING');
  });

  it('is killed and removed, beside another one that stays', async () => {
    await begin('other');
    await said('task', 'kill', '-s', 'SIGKILL', 'box');
    await becomes('box', 'STOPPED');
    const { err } = await ctr('task', 'delete', 'box');
    expect(err).toContain('task box exit with non-zero exit code 137');
    await said('container', 'delete', 'box');
    expect(await said('container', 'ls', '-q')).toBe('other');
    expect((await ctr('task', 'delete', 'other')).code).not.toBe(0);
    await said('task', 'delete', '--force', 'other');
    await said('container', 'delete', 'other');
    expect(await said('container', 'ls', '-q')).toBe('');
  });
});
