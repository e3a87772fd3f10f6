import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OciProcess } from '../../../agent/oci/oci-spec.ts';
import { type OciBox, type Over, openOciBox, type Started } from '../../support/oci-box.ts';

let box: OciBox;
beforeAll(async () => {
  box = await openOciBox();
});
afterAll(() => box?.end());

const run = (script: string, process: Partial<OciProcess>, over: Over = {}) =>
  box.run(script, { ...over, process });

/** A line of it, and what `outside` sees meanwhile. */
async function both<T>(
  script: string,
  process: Partial<OciProcess>,
  outside: (started: Started) => T,
): Promise<{ inside: readonly string[]; outside: T }> {
  const started = await box.start('exec sleep 1000', { process });
  try {
    return { inside: await started.exec(script), outside: outside(started) };
  } finally {
    await started.stop();
  }
}

const statusOf = ({ pid }: Pick<Started, 'pid'>, names: RegExp) =>
  readFileSync(`/proc/${pid}/status`, 'utf8')
    .split('\n')
    .filter((line) => names.test(line))
    .map((line) => line.replaceAll(/\s+/g, ' ').trim());

const everything = ['CAP_CHOWN', 'CAP_KILL', 'CAP_SETUID', 'CAP_SETGID'];

it('process.terminal: standard streams are a terminal, which is /dev/console', async () => {
  const script = 'tty; stat -c %t:%T /dev/console $(tty); readlink /proc/self/fd/1';
  const [tty, console, own, out] = await run(script, { terminal: true });
  expect([tty, out]).toEqual(['/dev/pts/0', '/dev/pts/0']);
  expect(console).toBe(own);
  const started = await box.start('exec sleep 1000', { process: { terminal: true } });
  expect(readlinkSync(`/proc/${started.pid}/fd/0`)).toBe('/dev/pts/0');
  await started.stop();
  expect(await run('tty; ls /dev/console', {})).toEqual([
    'not a tty',
    expect.stringMatching(/No such file/),
  ]);
});

it('process.consoleSize: the terminal has it', async () => {
  const consoleSize = { height: 33, width: 120 };
  expect(await run('stty size', { terminal: true, consoleSize })).toEqual(['33 120']);
});

it('process.user.uid, process.user.gid, process.user.additionalGids: who it is', async () => {
  const user = { uid: 1234, gid: 567, additionalGids: [567, 8, 4294967294] };
  const { inside, outside } = await both('id -u; id -g; id -G', { user }, (started) => ({
    owner: statSync(`/proc/${started.pid}`).uid,
    status: statusOf(started, /^(Uid|Gid|Groups)/),
  }));
  expect(inside).toEqual(['1234', '567', '567 8 4294967294']);
  expect(outside).toEqual({
    owner: 1234,
    status: ['Uid: 1234 1234 1234 1234', 'Gid: 567 567 567 567', 'Groups: 8 567 4294967294'],
  });
});

it('process.user.umask: holds, and 0022 else', async () => {
  const user = { umask: 0o077 };
  const { inside, outside } = await both('umask', { user }, (s) => statusOf(s, /^Umask/));
  expect([inside, outside]).toEqual([['0077'], ['Umask: 0077']]);
  expect(await run('umask', {})).toEqual(['0022']);
});

it('process.args: are the program’s, which is looked up in PATH', async () => {
  const args = ['printf', '%s|', 'a b', '', "'"];
  expect(await run('', { args })).toEqual(["a b||'|"]);
  await expect(run('', { args: ['nothing'] })).rejects.toMatchObject({ code: 'ENOENT' });
});

it('process.env: is all there is', async () => {
  const env = ['PATH=/bin', 'A=b=c', 'EMPTY='];
  const { inside, outside } = await both('env | grep -v ^SHLVL= | grep -v ^PWD=', { env }, (s) =>
    readFileSync(`/proc/${s.pid}/environ`, 'utf8').split('\0').filter(Boolean),
  );
  expect(inside.toSorted()).toEqual(env.toSorted());
  expect(outside).toEqual(expect.arrayContaining(env));
  expect(outside).toHaveLength(env.length + 2);
});

it('process.cwd: is made if it isn’t there, and entered', async () => {
  const { inside, outside } = await both('pwd', { cwd: '/new/work' }, (s) =>
    readlinkSync(`/proc/${s.pid}/cwd`),
  );
  expect([inside, outside]).toEqual([['/new/work'], '/new/work']);
  expect(statSync(`${box.rootfs}/new/work`).mode & 0o777).toBe(0o755);
});

it('process.capabilities: each of the five sets is as asked', async () => {
  const capabilities = {
    bounding: [...everything, 'CAP_NET_RAW'],
    permitted: everything,
    effective: ['CAP_KILL', 'CAP_CHOWN'],
    inheritable: ['CAP_CHOWN', 'CAP_KILL'],
    ambient: ['CAP_CHOWN'],
  };
  const user = { uid: 33, gid: 33 };
  const { outside } = await both('true', { capabilities, user }, (s) => statusOf(s, /^Cap/));
  // An exec by an ordinary user leaves what is ambient: capabilities(7).
  expect(outside).toEqual([
    'CapInh: 0000000000000021',
    'CapPrm: 0000000000000001',
    'CapEff: 0000000000000001',
    'CapBnd: 00000000000020e1',
    'CapAmb: 0000000000000001',
  ]);
  const root = await run('grep ^Cap /proc/self/status | cut -f2', {
    capabilities: { bounding: everything },
  });
  expect(root).toEqual(
    ['0', '0', '0', 'e1', '0'].map((bits, i) =>
      ([1, 2].includes(i) ? 'e1' : bits).padStart(16, '0'),
    ),
  );
  expect(await run('grep ^CapBnd /proc/self/status', { capabilities: {} })).toEqual([
    'CapBnd:\t0000000000000000',
  ]);
});

it('process.rlimits: are lowered, soft and hard, and 64 bits are no overflow', async () => {
  const rlimits = [
    { type: 'RLIMIT_NOFILE', soft: 50, hard: 60 },
    { type: 'RLIMIT_CORE', soft: 0, hard: 4096 },
    { type: 'RLIMIT_FSIZE', soft: 2 ** 40, hard: 18446744073709551615n },
  ];
  const { inside, outside } = await both('ulimit -Sn; ulimit -Hn', { rlimits }, (s) =>
    readFileSync(`/proc/${s.pid}/limits`, 'utf8'),
  );
  expect(inside).toEqual(['50', '60']);
  expect(outside).toMatch(/^Max open files +50 +60 /m);
  expect(outside).toMatch(/^Max core file size +0 +4096 /m);
  expect(outside).toMatch(/^Max file size +1099511627776 +unlimited /m);
});

it('process.noNewPrivileges: is set', async () => {
  const { inside, outside } = await both(
    'grep NoNewPrivs /proc/self/status | cut -f2',
    { noNewPrivileges: true },
    (s) => statusOf(s, /^NoNewPrivs/),
  );
  expect([inside, outside]).toEqual([['1'], ['NoNewPrivs: 1']]);
  expect(await run('grep NoNewPrivs /proc/self/status', {})).toEqual(['NoNewPrivs:\t0']);
});

it('process.apparmorProfile: is refused in words where AppArmor isn’t active', async () => {
  await expect(run('true', { apparmorProfile: 'x' })).rejects.toMatchObject({
    field: 'process.apparmorProfile',
    reason: 'missing in this kernel',
  });
  expect(await run('echo ran', { apparmorProfile: 'unconfined' })).toEqual(['ran']);
});

it('process.selinuxLabel: is refused in words where SELinux isn’t active', async () => {
  await expect(run('true', { selinuxLabel: 'a:b:c' })).rejects.toMatchObject({
    field: 'process.selinuxLabel',
    reason: 'missing in this kernel',
  });
});

it('process.oomScoreAdj: is written to the host’s procfs before anything is mounted', async () => {
  const { inside, outside } = await both('cat /proc/1/oom_score_adj', { oomScoreAdj: 321 }, (s) =>
    readFileSync(`/proc/${s.pid}/oom_score_adj`, 'utf8').trim(),
  );
  expect([inside, outside]).toEqual([['321'], '321']);
});

it('process.scheduler: policy, nice and flags', async () => {
  const scheduler = { policy: 'SCHED_BATCH', nice: 7, flags: ['SCHED_FLAG_RESET_ON_FORK'] };
  const { inside, outside } = await both(
    'cut -d" " -f19 /proc/1/stat',
    { scheduler },
    ({ pid }) => ({
      chrt: execFileSync('chrt', ['-p', String(pid)], { encoding: 'utf8' }),
      nice: readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[18],
    }),
  );
  expect(inside).toEqual(['7']);
  expect(outside.chrt).toMatch(/SCHED_BATCH\|SCHED_RESET_ON_FORK/);
  expect(outside.nice).toBe('7');
});

it('process.ioPriority: class and level', async () => {
  const ioPriority = { class: 'IOPRIO_CLASS_BE', priority: 6 };
  const { inside, outside } = await both('ionice', { ioPriority }, ({ pid }) =>
    execFileSync('ionice', ['-p', String(pid)], { encoding: 'utf8' }).trim(),
  );
  expect([inside, outside]).toEqual([['best-effort: prio 6'], 'best-effort: prio 6']);
});

it('process.execCPUAffinity: initial counts while the process is set up, final when it runs', async () => {
  const started = await box.start('exec sleep 1000');
  const [own = ''] = statusOf({ pid: process.pid }, /^Cpus_allowed_list/);
  const processors = own.match(/\d+/g) ?? [];
  const [initial = '', final = initial] = [processors[0], processors.at(-1)];
  const list = 'grep Cpus_allowed_list /proc/self/status | cut -f2';
  expect(await started.exec(list, { execCPUAffinity: { initial, final } })).toEqual([final]);
  expect(await started.exec(list, { execCPUAffinity: { initial } })).toEqual([initial]);
  expect(statusOf(started, /^Cpus_allowed_list/)).toEqual([own]);
  await started.stop();
});

it('linux.personality: a program sees a machine of 32 bits', async () => {
  const linux = { personality: { domain: 'LINUX32' } } as const;
  const machine = { x64: 'i686', arm64: 'armv8l' }[process.arch as string];
  const started = await box.start('exec sleep 1000', { linux });
  expect(readFileSync(`/proc/${started.pid}/personality`, 'utf8').trim()).toBe('00000008');
  expect(await started.exec('uname -m; cat /proc/self/personality')).toEqual([machine, '00000008']);
  await started.stop();
});
