import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readExits } from '../../../agent/kernel/exit-records.ts';
import { namespacePath } from '../../../agent/kernel/namespace-path.ts';
import type { Op } from '../../../agent/kernel/op.ts';
import { OpError } from '../../../agent/kernel/op-error.ts';
import {
  bindDefaults,
  createSandbox,
  execOps,
  firstId,
  logPath,
  messages,
  type NativePod,
  overlayRoot,
  runContainer,
  startContainer,
  startPod,
} from '../../support/native-pod.ts';

let pod: NativePod;

beforeAll(async () => {
  pod = await startPod();
  await createSandbox(pod);
  await pod.shim.run(overlayRoot(pod));
});

afterAll(() => pod.end());

let count = 0;

/** Runs a shell script in a new container; its lines on standard output. */
async function shell(script: string, rest: { inRoot?: readonly Op[]; last?: readonly Op[] } = {}) {
  const container = `c${++count}`;
  const argv = ['sh', '-c', script];
  const exit = await runContainer(pod, { container, argv, ...rest });
  return { ...exit, lines: messages(logPath(pod, container), 'stdout') };
}

async function failureOf(promise: Promise<unknown>): Promise<OpError> {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(OpError);
  return error as OpError;
}

describe('a sandbox', () => {
  it('has namespaces of its own, and they are the containers’', async () => {
    const { pid } = await startContainer(pod, { container: 'spaces', argv: ['sleep', '1000'] });
    for (const kind of ['user', 'net', 'ipc', 'uts', 'mnt', 'pid'])
      expect(readlinkSync(`/proc/${pid}/ns/${kind}`), kind).not.toBe(
        readlinkSync(`/proc/self/ns/${kind}`),
      );
    for (const [name, kind] of [
      ['user', 'user'],
      ['network', 'net'],
      ['ipc', 'ipc'],
      ['uts', 'uts'],
    ] as const)
      expect(readlinkSync(namespacePath(pod.shim, name))).toBe(
        readlinkSync(`/proc/${pid}/ns/${kind}`),
      );
    await pod.shim.kill('spaces', 9);
  });

  it('is mapped to its range, named, and has its loopback up', async () => {
    const { lines } = await shell(
      'cat /proc/self/uid_map /proc/self/gid_map; hostname; ip -4 -o addr',
    );
    expect(lines.map((line) => line.trim().replace(/\s+/g, ' '))).toEqual([
      `0 ${firstId} 65536`,
      `0 ${firstId} 65536`,
      'native-pod',
      expect.stringMatching(/^1: lo inet 127\.0\.0\.1\/8/),
    ]);
  });
});

describe('the root', () => {
  it('shows the image’s files as root’s, and writes land on the host as the mapped root’s', async () => {
    const { lines } = await shell(
      'stat -c %u:%g /bin/busybox; echo x > /etc/made; stat -c %u /etc/made',
    );
    const made = lstatSync(`${pod.dir}/upper/files/etc/made`);
    expect({
      lines,
      uid: made.uid,
      gid: made.gid,
      layer: lstatSync(`${pod.layer}/bin/busybox`).uid,
    }).toEqual({
      lines: ['0:0', '0'],
      uid: firstId,
      gid: firstId,
      layer: 0,
    });
  });

  it('holds nothing of the host after pivot-root', async () => {
    const { lines } = await shell('cut -d" " -f5 /proc/self/mountinfo; ls /');
    expect(lines).toEqual([
      '/',
      '/proc',
      '/dev',
      '/dev/pts',
      'bin',
      'dev',
      'etc',
      'proc',
      'root',
      'sys',
      'tmp',
    ]);
  });

  it('hides masked files and directories, and keeps read-only paths', async () => {
    const inRoot: Op[] = [
      { op: 'mask', path: '/proc/timer_list' },
      { op: 'mask', path: '/etc' },
      { op: 'mask', path: '/absent/file' },
      { op: 'read-only', path: '/proc/sys' },
      { op: 'read-only', path: '/tmp' },
    ];
    const script =
      'wc -c < /proc/timer_list; ls /etc; touch /tmp/a 2>&1; touch /etc/a 2>&1; ls -l /proc/timer_list | cut -c1';
    const { lines } = await shell(script, { inRoot });
    expect(lines).toEqual([
      '0',
      'touch: /tmp/a: Read-only file system',
      'touch: /etc/a: Read-only file system',
      'c',
    ]);
  });

  it('turns read-only in place', async () => {
    const { lines } = await shell('touch /x 2>&1; echo ok > /dev/null && echo written', {
      inRoot: [{ op: 'read-only-root' }],
    });
    expect(lines).toEqual(['touch: /x: Read-only file system', 'written']);
  });

  it('takes idmapped and ordinary volumes, whole or from below a sub path', async () => {
    mkdirSync(`${pod.dir}/volume/sub`, { recursive: true });
    writeFileSync(`${pod.dir}/volume/sub/file`, 'text\n');
    const bind = { ...bindDefaults, inRoot: true, create: true } as const;
    const { lines } = await shell(
      'cat /v/sub/file /s/file; stat -c %u /v/sub/file /w/sub; touch /w/x 2>&1; ls -d /new',
      {
        inRoot: [
          { ...bind, source: `${pod.dir}/volume`, target: '/v', idmap: true },
          { ...bind, source: `${pod.dir}/volume`, target: '/w', flags: ['ro', 'nosuid', 'nodev'] },
          { ...bind, source: 'sub', sourceBelow: `${pod.dir}/volume`, target: '/s' },
          { ...bind, source: 'fresh/dir', sourceBelow: `${pod.dir}/volume`, target: '/new' },
        ],
      },
    );
    expect(lines).toEqual([
      'text',
      'text',
      '0',
      '65534',
      'touch: /w/x: Read-only file system',
      '/new',
    ]);
    expect(existsSync(`${pod.dir}/volume/fresh/dir`)).toBe(true);
  });

  it('takes devices, links and directories with their owners', async () => {
    const owner = { uid: firstId + 7, gid: firstId + 8 };
    const { lines } = await shell(
      'ls -ln /dev/zero | cut -c1-10; stat -c "%u %g %a" /opt/a; readlink /opt/l',
      {
        inRoot: [
          {
            op: 'mknod',
            path: '/dev/zero',
            inRoot: true,
            mode: 0o020666,
            major: 1,
            minor: 5,
            uid: firstId,
            gid: firstId,
          },
          { op: 'mkdir', path: '/opt/a', inRoot: true, mode: 0o2751, ...owner },
          { op: 'symlink', path: '/opt/l', inRoot: true, to: 'a/f' },
          { op: 'symlink', path: '/opt/l', inRoot: true, to: 'a/f' },
        ],
      },
    );
    expect(lines).toEqual(['crw-rw-rw-', '7 8 2751', 'a/f']);
  });
});

const capNetBind = 1n << 10n;
const allowAll = Buffer.from([6, 0, 0, 0, 0, 0, 0xff, 0x7f]);

describe('a container’s process', () => {
  it('has exactly the ids, capabilities, keyring and filter of its list', async () => {
    const last: Op[] = [
      { op: 'new-keyring' },
      { op: 'umask', mask: 0o27 },
      { op: 'join', namespace: 'user' },
      { op: 'drop-bounding', keep: capNetBind },
      { op: 'set-ids', uid: 33, gid: 34, groups: [35, 36] },
      {
        op: 'set-caps',
        effective: capNetBind,
        permitted: capNetBind,
        inheritable: capNetBind,
        ambient: capNetBind,
      },
      { op: 'no-new-privs' },
      { op: 'seccomp', program: allowAll },
      {
        op: 'exec',
        argv: ['sh', '-c', 'cat /proc/self/status; umask'],
        env: ['PATH=/nowhere:/bin'],
      },
    ];
    const { lines, exit } = await shell('', { last });
    const status = new Map(lines.map((line) => line.split(/:\s+/) as [string, string]));
    const field = (name: string) => status.get(name)?.trim().replace(/\s+/g, ' ');
    expect({
      exitCode: exit?.exitCode,
      ...Object.fromEntries(
        ['Uid', 'Gid', 'Groups', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp'].map((n) => [
          n,
          field(n),
        ]),
      ),
      umask: lines.at(-1),
    }).toEqual({
      exitCode: 0,
      Uid: '33 33 33 33',
      Gid: '34 34 34 34',
      Groups: '35 36',
      CapEff: '0000000000000400',
      CapBnd: '0000000000000400',
      CapAmb: '0000000000000400',
      NoNewPrivs: '1',
      Seccomp: '2',
      umask: '0027',
    });
  });

  it('has a session keyring that is not the host’s', async () => {
    const sessions = (text: string) => text.split('\n').filter((key) => key.includes('_ses'));
    const ids = (keys: readonly string[]) => keys.map((key) => key.split(' ')[0]);
    const before = ids(sessions(readFileSync('/proc/keys', 'utf8')));
    // Without the user namespace, in which /proc/keys would hide what root outside has made.
    const { lines } = await shell('', {
      last: [
        { op: 'new-keyring' },
        { op: 'exec', argv: ['cat', '/proc/keys'], env: ['PATH=/bin'] },
      ],
    });
    expect(ids(sessions(lines.join('\n'))).filter((id) => !before.includes(id))).not.toEqual([]);
  });

  it('loses all capabilities when it is not root and none are asked for', async () => {
    const last: Op[] = [
      { op: 'join', namespace: 'user' },
      { op: 'set-ids', uid: 1000, gid: 1000, groups: [] },
      { op: 'set-caps', effective: 0n, permitted: 0n, inheritable: 0n, ambient: 0n },
      {
        op: 'exec',
        argv: ['grep', '-E', 'Cap(Inh|Prm|Eff|Amb)', '/proc/self/status'],
        env: ['PATH=/bin'],
      },
    ];
    const { lines } = await shell('', { last });
    expect(lines.map((line) => line.split('\t')[1])).toEqual(Array(4).fill('0000000000000000'));
  });

  it('sees three descriptors, default signals, and may open its standard output anew', async () => {
    const { lines } = await shell('', {
      last: execOps(
        [
          'sh',
          '-c',
          'ls /proc/self/fd | wc -l; grep SigIgn /proc/self/status; echo again > /dev/stdout || echo no',
        ],
        1000,
      ),
      inRoot: [{ op: 'symlink', path: '/dev/stdout', inRoot: true, to: '/proc/self/fd/1' }],
    });
    expect(lines).toEqual(['4', 'SigIgn:\t0000000000000000', 'again']);
  });

  it('can not mount, nor change what its mount namespace holds', async () => {
    const { lines } = await shell('mount -t tmpfs none /tmp 2>&1; umount /dev/pts 2>&1; echo end');
    expect(lines).toEqual([
      'mount: permission denied (are you root?)',
      expect.stringMatching(/umount: can't unmount \/dev\/pts: Operation not permitted/),
      'end',
    ]);
  });
});

describe('the end of a container', () => {
  it('is told with its code and its signal, and is written to disk', async () => {
    const coded = await shell('exit 7');
    const { pid } = await startContainer(pod, { container: 'victim', argv: ['sleep', '1000'] });
    const ended = Promise.withResolvers<unknown>();
    pod.shim.onExit((exit) => exit.container === 'victim' && ended.resolve(exit));
    await pod.shim.kill('victim', 9);
    const killed = { container: 'victim', pid, exit: { exitCode: 137, signal: 9 } };
    expect(await ended.promise).toMatchObject(killed);
    expect(coded.exit).toMatchObject({ exitCode: 7, signal: undefined });
    const onDisk = (await readExits(`${pod.dir}/run`)).find((e) => e.container === 'victim');
    expect(onDisk).toEqual(await ended.promise);
  });

  it('takes every process of the container with it', async () => {
    const { pid } = await startContainer(pod, {
      container: 'family',
      argv: ['sh', '-c', 'sleep 1000 & sleep 1000 & wait'],
    });
    const space = readlinkSync(`/proc/${pid}/ns/pid`);
    const ended = Promise.withResolvers<void>();
    pod.shim.onExit((exit) => exit.container === 'family' && ended.resolve());
    await pod.shim.kill('family', 9);
    await ended.promise;
    expect(await processesIn(space)).toEqual([]);
  });

  it('is told of each of many that run at once, and leaves no descriptor open', async () => {
    const open = () => readdirSync(`/proc/${pod.shim.pid}/fd`).length;
    const before = open();
    const names = Array.from({ length: 50 }, (_, i) => `many-${i}`);
    const exits = await Promise.all(
      names.map((container, i) =>
        runContainer(pod, { container, argv: ['sh', '-c', `exit ${i}`] }),
      ),
    );
    expect(exits.map((exit) => exit.exit?.exitCode)).toEqual(names.map((_, i) => i));
    await Promise.all(names.map((name) => pod.shim.forget(name)));
    await expect.poll(open).toBeLessThanOrEqual(before);
  });

  it('stays in the list until it is forgotten', async () => {
    await shell('true');
    const name = `c${count}`;
    const names = async () => (await pod.shim.list()).map((c) => c.container);
    expect(await names()).toContain(name);
    await pod.shim.forget(name);
    expect(await names()).not.toContain(name);
    expect((await readExits(`${pod.dir}/run`)).map((e) => e.container)).not.toContain(name);
  });

  it('has no effect on a kill of something unknown', async () => {
    await expect(pod.shim.kill('nobody', 9)).resolves.toBeUndefined();
  });
});

describe('a failing operation', () => {
  const start = (last: readonly Op[]) =>
    startContainer(pod, { container: 'broken', argv: [], last });

  it('is named by index, stage and errno, and leaves nothing behind', async () => {
    const error = await failureOf(
      pod.shim.run([
        { op: 'umask', mask: 0 },
        {
          op: 'mount',
          source: 'none',
          target: `${pod.dir}/absent`,
          inRoot: false,
          create: false,
          fstype: 'tmpfs',
          flags: [],
          data: '',
        },
      ]),
    );
    expect(error.failure).toEqual({ index: 1, stage: 'open target', errno: 2 });
    expect(error.message).toBe(
      `mount tmpfs on ${pod.dir}/absent: open target: ENOENT (no such file or directory)`,
    );
  });

  it('makes the start fail; then there is no container, no log, no process', async () => {
    const error = await failureOf(
      start([{ op: 'exec', argv: ['no-such-program'], env: ['PATH=/bin:/etc'] }]),
    );
    expect(error.failure).toMatchObject({ stage: 'execve', errno: 2 });
    expect(existsSync(logPath(pod, 'broken'))).toBe(false);
    expect((await pod.shim.list()).map((c) => c.container)).not.toContain('broken');
    const again = await failureOf(start([{ op: 'exec', argv: ['passwd'], env: ['PATH=/etc'] }]));
    expect(again.code).toBe('EACCES');
  });

  it('does not overwrite a container of the same name', async () => {
    await startContainer(pod, { container: 'twice', argv: ['sleep', '1000'] });
    const error = await failureOf(startContainer(pod, { container: 'twice', argv: ['true'] }));
    expect(error.code).toBe('EEXIST');
    await pod.shim.kill('twice', 9);
  });

  it('is refused when the request is not a list', async () => {
    const error = await failureOf(startContainer(pod, { container: '../escape', argv: ['true'] }));
    expect(error.failure).toEqual({ index: -1, stage: 'decode', errno: 22 });
  });
});

async function processesIn(space: string): Promise<readonly string[]> {
  const { readdir } = await import('node:fs/promises');
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => {
    try {
      return (
        readlinkSync(`/proc/${pid}/ns/pid`) === space &&
        !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
      );
    } catch (error) {
      if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? ''))
        return false;
      throw error;
    }
  });
}
