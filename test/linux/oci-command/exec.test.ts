import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Container,
  mustWork,
  type OciProgram,
  openOciProgram,
} from '../../support/oci-program.ts';
import { waitFor } from '../../support/wait-for.ts';

let oci: OciProgram;
let c: Container;
beforeAll(async () => {
  oci = await openOciProgram();
  c = await oci.running('exec sleep 1000', {
    process: { env: ['PATH=/bin', 'A=own', 'B=own'], cwd: '/root' },
  });
});
afterAll(() => oci?.[Symbol.asyncDispose]());

const sh = (script: string, ...options: readonly string[]) =>
  oci.run('exec', ...options, c.id, 'sh', '-c', script);
const said = async (script: string, ...options: readonly string[]) =>
  mustWork(await sh(script, ...options)).out;
const refused = (text: string) => ({
  ...{ code: 255, out: '' },
  err: expect.stringMatching(new RegExp(`^orc-oci: .*${text}.*\n$`)) as string,
});

describe('a process beside the first', () => {
  it.each([
    ['exit 0', 0],
    ['exit 3', 3],
    ['exit 254', 254],
    ['kill -KILL $$', 137],
    ['kill -TERM $$', 143],
  ])('ends with its own code: %s', async (script, code) => {
    expect(await sh(script)).toEqual({ code, out: '', err: '' });
  });

  it('has the caller’s streams, each by itself', async () => {
    const words = ['exec', c.id, 'sh', '-c', 'tr a-z A-Z; echo error >&2'];
    const run = await oci.call(words, { input: 'typed\n' });
    expect(run).toEqual({ code: 0, out: 'TYPED\n', err: 'error\n' });
  });

  it('is in the container’s namespaces and groups, with its environment and directory', async () => {
    const look = (pid: string) =>
      `for N in mnt pid net ipc uts; do readlink /proc/${pid}/ns/$N; done`;
    expect(await said(look('self'))).toBe(await said(look('1')));
    expect(await said('echo $A $B; pwd; cat /proc/self/cgroup')).toBe(
      `own own\n/root\n${readFileSync(`/proc/${c.pid}/cgroup`, 'utf8')}`,
    );
  });

  it('takes what follows the name as its own words', async () => {
    const words = (...rest: string[]) => oci.run('exec', c.id, ...rest);
    expect((await words('echo', '--cwd', '/', '--', '-t')).out).toBe('--cwd / -- -t\n');
    expect((await oci.run('exec', '--', c.id, 'echo', '-d')).out).toBe('-d\n');
  });

  it('is refused for words that aren’t UTF-8, which would not arrive as they are', async () => {
    const by = ['sh', '-c', '"$@" "$(printf "\\377\\376")"', 'sh'];
    const run = await oci.call(['exec', c.id, 'printf', '%s'], { by });
    expect(run).toEqual({
      code: 255,
      out: '',
      err: 'orc-oci: words, environment and directory must be UTF-8\n',
    });
  });

  it('is killed by a signal to who called', async () => {
    const front = oci.begin(['exec', c.id, 'sh', '-c', 'echo up; exec sleep 1000']);
    await waitFor('its line', () => front.out() === 'up\n');
    process.kill(front.pid, 'SIGTERM');
    expect((await front.ended).code).toBe(143);
  });

  it('works in one that waits for its start, not in one that has ended', async () => {
    const waiting = await oci.created('true');
    const echo = () => oci.run('exec', waiting.id, 'echo', 'ran');
    expect(await echo()).toEqual({ code: 0, out: 'ran\n', err: '' });
    mustWork(await oci.run('start', waiting.id));
    await waitFor('its end', async () => (await oci.status(waiting.id)) === 'stopped');
    expect(await echo()).toEqual(refused('cannot exec in a stopped container'));
    expect(await oci.run('exec', 'nobody', 'true')).toEqual(refused('does not exist'));
  });
});

describe('a process that can’t be', () => {
  it.each([
    [['nowhere'], 'exec: "nowhere": executable file not found in \\$PATH'],
    [['/bin/nowhere'], 'exec: "/bin/nowhere": stat /bin/nowhere: no such file or directory'],
    [['/etc/passwd'], 'exec: "/etc/passwd": permission denied'],
    [['/etc'], 'exec: "/etc": (permission denied|is a directory)'],
  ])('%j is told by its words', async (words, text) => {
    expect(await oci.run('exec', c.id, ...words)).toEqual(refused(text));
  });

  it.each([
    [['--user', 'root'], '--user'],
    [['--user', '1:2:3'], '--user'],
    [['--user', '4294967295'], '--user'],
    [['--additional-gids', 'x'], 'additional-gids'],
    [['--preserve-fds', '1000'], 'preserve-fds'],
    [['--preserve-fds', 'x'], 'preserve-fds'],
    [['--cwd', '/etc/passwd'], 'chdir to cwd \\("/etc/passwd"\\)'],
    [['--cgroup', 'nowhere'], '"nowhere" is no group'],
    [['--cgroup', '..'], 'is no group'],
    [['--process', '/nowhere.json'], '/nowhere.json'],
  ])('%j is refused', async (options, text) => {
    expect(await sh('true', ...options)).toEqual(refused(text));
  });

  it('no words at all are refused', async () => {
    expect(await oci.run('exec', c.id)).toEqual(refused('process args cannot be empty'));
  });
});

describe('options', () => {
  it('--detach comes back with a pid file; the process goes on as the container’s', async () => {
    const file = `${oci.dir}/exec.pid`;
    const words = ['--detach', '--pid-file', file, c.id, 'sleep', '2000'];
    expect(await oci.run('exec', ...words)).toEqual({ code: 0, out: '', err: '' });
    const pid = readFileSync(file, 'utf8');
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toBe('sleep\x002000\0');
    expect(oci.groupFile(c.id, 'cgroup.procs')?.split('\n')).toContain(pid);
    process.kill(Number(pid), 'SIGKILL');
  });

  it.each([
    [['--user', '33:44'], 'id -u; id -g', '33\n44\n'],
    [['--user=33'], 'id -u; id -g', '33\n0\n'],
    [['-u', '33:44', '-g', '5', '-g', '6'], 'id -G', '44 5 6\n'],
    [['--user', '33'], 'grep CapEff /proc/self/status', 'CapEff:\t0000000000000000\n'],
    [['--env', 'A=new', '-e', 'C=c=d'], 'echo $A $B $C', 'new own c=d\n'],
    [['--env', 'A=new'], 'env | grep -c ^A=', '1\n'],
    [['--env', 'A='], 'echo "<$A>"', '<>\n'],
    [['--cwd', '/bin'], 'pwd', '/bin\n'],
    [['--no-new-privs'], 'grep NoNewPrivs /proc/self/status', 'NoNewPrivs:\t1\n'],
    [[], 'grep NoNewPrivs /proc/self/status', 'NoNewPrivs:\t0\n'],
  ])('%j', async (options, script, out) => {
    expect(await said(script, ...options)).toBe(out);
  });

  it('--cap adds to what the container has', async () => {
    const caps = async (...options: string[]) =>
      (await said('grep -E "Cap(Prm|Eff|Bnd|Amb)" /proc/self/status', ...options))
        .trim()
        .split('\n')
        .map((line) => BigInt(`0x${line.split('\t')[1]}`));
    const before = await caps();
    const raw = 1n << 13n;
    expect(before.map((set) => set & raw)).toEqual([0n, 0n, 0n, 0n]);
    const after = await caps('--cap', 'CAP_NET_RAW');
    expect(after).toEqual(before.map((set, i) => (i < 3 ? set | raw : set)));
  });

  it('--process has the whole process in a file, or on standard input', async () => {
    const args = ['sh', '-c', 'id -u; pwd; echo $A$X'];
    const env = ['PATH=/bin', 'X=of the file'];
    const text = JSON.stringify({ args, env, cwd: '/etc', user: { uid: 7, gid: 8 } });
    writeFileSync(`${oci.dir}/process.json`, text);
    const out = '7\n/etc\nof the file\n';
    const file = await oci.call(['exec', '--process', 'process.json', c.id], { cwd: oci.dir });
    expect(file).toEqual({ code: 0, out, err: '' });
    const by = ['sh', '-c', `cat ${oci.dir}/process.json | "$@"`, 'sh'];
    for (const name of ['-', '/dev/fd/0', '/proc/self/fd/0'])
      expect(await oci.call(['exec', '-p', name, c.id], { by })).toEqual({ code: 0, out, err: '' });
  });

  it.each([
    ['/dev/stdin, a pipe', '/dev/stdin', ['sh', '-c', 'echo "$P" | "$@"', 'sh']],
    ['a socket on standard input', '-', []],
  ])('--process reads %s', async (_, name, by) => {
    const text = JSON.stringify({ args: ['echo', 'read'], env: ['PATH=/bin'], cwd: '/' });
    const words = ['exec', '--process', name, c.id];
    const run = await oci.call(words, { by, input: text, env: { P: text } });
    expect(run).toEqual({ code: 0, out: 'read\n', err: '' });
  });

  it('--preserve-fds hands on that many descriptors, and no other', async () => {
    for (const name of ['three', 'four']) writeFileSync(`${oci.dir}/${name}`, `${name}\n`);
    const fds = ['three', 'four'].map((name) => openSync(`${oci.dir}/${name}`, 'r'));
    const words = [c.id, 'sh', '-c', 'cat <&3; cat 2>&- <&4 || echo none'];
    const run = (...options: string[]) => oci.call(['exec', ...options, ...words], { fds });
    expect((await run('--preserve-fds', '1')).out).toBe('three\nnone\n');
    for (const name of ['three', 'four']) writeFileSync(`${oci.dir}/${name}`, '');
    expect((await run('--preserve-fds', '2')).out).toBe('');
    expect((await oci.call(['exec', c.id, 'ls', '/proc/self/fd'], { fds })).out).toBe(
      '0\n1\n2\n3\n',
    );
  });

  it('--cgroup puts it into a group below the container’s', async () => {
    for (const { controller, path } of oci.groups(c.id)) {
      mkdirSync(`${path}/below`);
      // Of version 1; a new one has none, and takes no process.
      for (const file of controller === 'cpuset' ? ['cpuset.cpus', 'cpuset.mems'] : [])
        writeFileSync(`${path}/below/${file}`, readFileSync(`${path}/${file}`));
    }
    const own = (await said('cat /proc/self/cgroup')).trim().split('\n');
    const below = (await said('cat /proc/self/cgroup', '--cgroup', 'below')).trim().split('\n');
    const isIts = (line: string) => line.endsWith(`/${c.id}`);
    expect(own.some(isIts)).toBe(true);
    expect(below).toEqual(own.map((line) => (isIts(line) ? `${line}/below` : line)));
    const one = (await said('cat /proc/self/cgroup', '--cgroup', 'pids:below')).trim().split('\n');
    const expected = (line: string) => (line.includes(':pids:') ? `${line}/below` : line);
    expect(one).toEqual(own.map(expected));
  });

  it('into a paused container: refused, but with --ignore-paused it waits', async () => {
    const paused = await oci.running('exec sleep 1000');
    mustWork(await oci.run('pause', paused.id));
    expect(await oci.run('exec', paused.id, 'true')).toEqual(
      refused('cannot exec in a paused container'),
    );
    const waits = oci.begin(['exec', '--ignore-paused', paused.id, 'echo', 'ran']);
    const procs = () => oci.groupFile(paused.id, 'cgroup.procs')?.split('\n').length;
    await waitFor('the process in the group', () => procs() === 2);
    expect(waits.out()).toBe('');
    mustWork(await oci.run('resume', paused.id));
    expect(await waits.ended).toEqual({ code: 0, out: 'ran\n', err: '' });
  });
});
