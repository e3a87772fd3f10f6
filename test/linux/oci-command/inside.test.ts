import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, openSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustWork, type OciProgram, openOciProgram, openPipe } from '../../support/oci-program.ts';
import { waitFor } from '../../support/wait-for.ts';

let oci: OciProgram;
beforeAll(async () => {
  oci = await openOciProgram();
});
afterAll(() => oci?.[Symbol.asyncDispose]());

it('a container sees all that its configuration says', async () => {
  const all = ['CAP_CHOWN', 'CAP_NET_RAW'];
  const script = [
    'grep -E "^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp|Cpus_allowed_list):" /proc/self/status',
    'ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj; umask; hostname; pwd',
    'touch /made 2>&1; touch /tmp/made && echo written',
    'mkdir /tmp/d 2>&1; wc -c < /proc/version; echo 1 2>&1 > /proc/sys/kernel/panic',
    'ls /sys/class/net 2>/dev/null; cat /proc/sys/net/ipv4/ip_forward; id -u',
  ].join('; ');
  const run = await oci.foreground(`exec 2>&1; ${script}`, {
    process: {
      ...{ user: { uid: 33, gid: 44, additionalGids: [5, 6], umask: 0o027 }, cwd: '/tmp' },
      capabilities: { bounding: all, permitted: all, effective: [all[0]!], inheritable: [] },
      rlimits: [{ type: 'RLIMIT_NOFILE', soft: 100, hard: 200 }],
      ...{ noNewPrivileges: true, oomScoreAdj: 500 },
    },
    spec: { root: { path: oci.rootfs, readonly: true }, hostname: 'inside' },
    linux: {
      ...{ maskedPaths: ['/proc/version'], readonlyPaths: ['/proc/sys'] },
      sysctl: { 'net.ipv4.ip_forward': '1' },
      resources: { cpu: { cpus: '0' } },
      seccomp: {
        ...{ defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X86_64'] },
        syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 5 }],
      },
    },
  });
  expect([run.code, run.err]).toEqual([0, '']);
  expect(run.out.replaceAll('\t', ' ').trim().split('\n')).toEqual([
    'Uid: 33 33 33 33',
    'Gid: 44 44 44 44',
    'Groups: 5 6 ',
    'CapInh: 0000000000000000',
    // The program isn't root's: execve takes what it has no ambient set for.
    'CapPrm: 0000000000000000',
    'CapEff: 0000000000000000',
    'CapBnd: 0000000000002001',
    'CapAmb: 0000000000000000',
    'NoNewPrivs: 1',
    'Seccomp: 2',
    'Cpus_allowed_list: 0',
    ...['100', '200', '500', '0027', 'inside', '/tmp'],
    'touch: /made: Read-only file system',
    'written',
    "mkdir: can't create directory '/tmp/d': Input/output error",
    '0',
    "sh: can't create /proc/sys/kernel/panic: Read-only file system",
    ...['1', '33'],
  ]);
});

it('capabilities that nobody here can have are left out, with a warning', async () => {
  const caps = ['CAP_CHOWN', 'CAP_OF_TOMORROW'];
  const run = await oci.foreground('grep CapEff /proc/self/status', {
    process: { capabilities: { bounding: caps, effective: caps, permitted: caps } },
  });
  expect(run).toEqual({
    ...{ code: 0, out: 'CapEff:\t0000000000000001\n' },
    err: 'orc-oci: ignoring unknown or unavailable capabilities: CAP_OF_TOMORROW\n',
  });
});

it('its root is somebody else outside, with a user namespace', async () => {
  chmodSync(oci.dir, 0o755);
  const ids = [{ containerID: 0, hostID: 200_000, size: 65_536 }];
  const types = ['mount', 'pid', 'network', 'ipc', 'uts', 'user'] as const;
  const c = await oci.running('exec sleep 1000', {
    linux: {
      ...{ uidMappings: ids, gidMappings: ids },
      namespaces: types.map((type) => ({ type })),
    },
  });
  const uids = (pid: number | 'self') => `grep ^Uid: /proc/${pid}/status`;
  const outside = execFileSync('sh', ['-c', uids(c.pid)], { encoding: 'utf8' });
  expect(outside).toBe('Uid:\t200000\t200000\t200000\t200000\n');
  expect(
    await oci.run('exec', c.id, 'sh', '-c', `${uids('self')}; touch /tmp/a && ls /tmp`),
  ).toEqual({
    ...{ code: 0, out: 'Uid:\t0\t0\t0\t0\na\n', err: '' },
  });
  mustWork(await oci.run('delete', '--force', c.id));
});

it('no descriptor of the runtime leads out of it (CVE-2024-21626)', async () => {
  const c = await oci.running('exec sleep 1000');
  const fds = [openSync(oci.dir, 'r')];
  const numbers = [...Array.from({ length: 20 }, (_, i) => i), 40, 41, 512, 513];
  const seen = await Promise.all(
    numbers.flatMap((number) => {
      const cwd = `/proc/self/fd/${number}`;
      const { id, dir } = oci.bundle('ls', { process: { cwd } });
      const exec = ['exec', '--cwd', cwd, c.id, 'ls'];
      return [exec, ['run', '-b', dir, id]].map((words) => oci.call(words, { fds }));
    }),
  );
  expect(seen.filter(({ out }) => /rootfs|bundles|home|config\.json/.test(out))).toEqual([]);
  // (What is asked for is there.)
  const asked = ['exec', '--preserve-fds', '1', c.id, 'ls', '/proc/self/fd/3'];
  expect((await oci.call(asked, { fds })).out).toContain('rootfs');
});

describe('the program of orc-oci, as a container’s root gets hold of it (CVE-2019-5736)', () => {
  const digest = () => createHash('sha256').update(readFileSync(oci.program)).digest('hex');

  /** What reads its input until it ends, as the first process of a container; what another one there does with it. */
  async function attack(args: readonly string[]): Promise<readonly string[]> {
    const input = openPipe(`${oci.dir}/pipe`);
    const c = await oci.running('exec sleep 1000');
    const exec = oci.begin(['exec', c.id, ...args], { input });
    const find =
      'for p in /proc/[0-9]*; do grep -q orc-launch $p/cmdline && echo ${p#/proc/}; done';
    const script = (text: string) => oci.run('exec', c.id, 'sh', '-c', text);
    // The searching shell's own words don't have it.
    const pid = await waitFor('it', async () => {
      const { out } = await script(find.replace('orc-launch', 'orc-l[a]unch'));
      return out
        .trim()
        .split('\n')
        .find((word) => /^\d+$/.test(word));
    });
    const run = mustWork(
      await script(
        [
          `exec 3< /proc/${pid}/exe; readlink /proc/${pid}/exe`,
          `(echo x >> /proc/${pid}/exe) 2> /dev/null && echo "written while it runs"`,
          `kill -KILL ${pid}; while [ -e /proc/${pid}/exe ] && readlink /proc/${pid}/exe; do :; done > /dev/null`,
          '(echo x >> /proc/self/fd/3) 2> /dev/null && echo "written when it has ended"',
          'true',
        ].join('\n'),
      ),
    );
    expect((await exec.ended).code).toBe(137);
    return run.out.trim().split('\n');
  }

  it('can’t be changed', async () => {
    const before = digest();
    expect(await attack(['/proc/self/exe', 'orc-launch'])).toEqual([
      expect.stringMatching(/^\/memfd:orc-native/),
    ]);
    expect(digest()).toBe(before);
  });

  it('(the same attack changes a program that is a file)', async () => {
    copyFileSync(oci.program, `${oci.rootfs}/bin/copy`);
    expect(await attack(['/bin/copy', 'orc-launch'])).toEqual([
      '/bin/copy',
      'written when it has ended',
    ]);
  });

  it('is what /proc/self/exe is as a container’s first program, and does nothing there', async () => {
    const before = digest();
    const run = await oci.foreground('', { process: { args: ['/proc/self/exe', 'x'] } });
    expect(run).toEqual({ code: 64, out: '', err: 'orc-native: no such program\n' });
    expect(digest()).toBe(before);
  });
});
