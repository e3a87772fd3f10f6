import { execFileSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { namespacePath } from '../../../agent/kernel/namespace-path.ts';
import type { Op } from '../../../agent/kernel/op.ts';
import {
  bindDefaults,
  createSandbox,
  execOps,
  firstId,
  logPath,
  messages,
  type NativePod,
  overlayRoot,
  type Start,
  startContainer,
  startPod,
} from '../../support/native-pod.ts';

/** What is asked for beyond pods' own lists: each operation seen from inside (its output) and from outside (/proc). */
let pod: NativePod;
beforeAll(async () => {
  pod = await startPod();
  await createSandbox(pod);
  await pod.shim.run(overlayRoot(pod));
});
afterAll(() => pod?.end());

type Wanted = Omit<Start, 'container' | 'argv'>;
let count = 0;

/** Runs a script in a new container, which then waits: its lines, and the container from outside. */
async function inside(script: string, wanted: Wanted = {}) {
  const container = `o${++count}`;
  const argv = ['sh', '-c', `${script}\necho end; sleep 1000`];
  const { pid } = await startContainer(pod, { container, argv, ...wanted });
  const lines = () => messages(logPath(pod, container), 'stdout');
  await expect.poll(() => lines().at(-1)?.trim(), { timeout: 10_000 }).toBe('end');
  const file = (name: string) => readFileSync(`/proc/${pid}/${name}`, 'utf8').trim();
  const space = (name: string) => readlinkSync(`/proc/${pid}/ns/${name}`);
  return { container, pid, file, space, lines: lines().slice(0, -1) };
}

/** Before the last part of a list, as root of the host or, after `join user`, of the pod. */
const last = (script: string, ...ops: readonly Op[]): readonly Op[] => {
  const argv = ['sh', '-c', `${script}\necho end; sleep 1000`];
  return [...ops, ...execOps(argv)];
};

describe('namespaces', () => {
  it('are joined by the path of another process’', async () => {
    const other = await inside('');
    const files = { network: 'net', ipc: 'ipc', uts: 'uts', cgroup: 'cgroup', time: 'time' };
    const first = Object.entries(files).flatMap(([kind, file]): Op[] => {
      const namespace = kind as keyof typeof files;
      return [
        { op: 'open-space', namespace, path: `/proc/${other.pid}/ns/${file}` },
        { op: 'join', namespace },
      ];
    });
    const { space, lines } = await inside('readlink /proc/self/ns/net', { first });
    expect(Object.values(files).map(space)).toEqual(Object.values(files).map(other.space));
    expect(lines).toEqual([other.space('net')]);
  });

  it('are not joined if they are of another kind', async () => {
    const first: readonly Op[] = [
      { op: 'open-space', namespace: 'network', path: '/proc/self/ns/uts' },
      { op: 'join', namespace: 'network' },
    ];
    await expect(inside('', { first })).rejects.toThrow('join network namespace: setns: EINVAL');
  });

  it('of pids are joined by a fork, and are new by a fork', async () => {
    const other = await inside('');
    const path = `/proc/${other.pid}/ns/pid`;
    const rest = { namespaces: ['mount'] } as const;
    const joined = await inside('echo $$', {
      rest,
      first: [
        { op: 'open-space', namespace: 'pid', path },
        { op: 'join', namespace: 'pid' },
        { op: 'fork' },
      ],
    });
    const own = await inside('echo $$', {
      rest,
      first: [{ op: 'unshare', namespaces: ['pid'] }, { op: 'fork' }],
    });
    expect(joined.space('pid')).toBe(other.space('pid'));
    expect(Number(joined.lines[0])).toBeGreaterThan(1);
    expect(own.space('pid')).not.toBe(readlinkSync('/proc/self/ns/pid'));
    expect(own.lines).toEqual(['1']);
    expect((await pod.shim.list()).find((c) => c.container === own.container)?.pid).toBe(own.pid);
  });

  it('of users have as many ranges as are given, and are held by the shim', async () => {
    const map = `0 ${firstId} 1000\n1000 ${firstId + 5000} 10\n`;
    await pod.shim.run([
      { op: 'new-user', namespace: 9, uidMap: map, gidMap: map },
      { op: 'hold', namespace: 9 },
    ]);
    const join: readonly Op[] = [
      { op: 'open-space', namespace: 'user', path: `/proc/self/fd/${10 + 9}` },
    ];
    const { lines, file, space } = await inside('', {
      last: last('cat /proc/self/uid_map; id -u', ...join).map((op) =>
        op.op === 'set-ids' ? { ...op, uid: 1003, gid: 1003 } : op,
      ),
    });
    const shown = [`0 ${firstId} 1000`, `1000 ${firstId + 5000} 10`];
    const tidy = (text: string) => text.trim().replace(/[ \t]+/g, ' ');
    expect(lines.map(tidy)).toEqual([...shown, '1003']);
    expect(file('gid_map').split('\n').map(tidy)).toEqual(shown);
    expect(file('status')).toMatch(new RegExp(`^Uid:\t${firstId + 5003}\t`, 'm'));
    expect(space('user')).toBe(readlinkSync(namespacePath(pod.shim, 9)));
  });

  it('of users that the kernel refuses to map are refused', async () => {
    const wanted = pod.shim.run([{ op: 'new-user', namespace: 9, uidMap: 'x', gidMap: '0 0 1' }]);
    await expect(wanted).rejects.toThrow('new-user: uid_map: EINVAL');
  });

  it('of time are set before they are joined', async () => {
    const hours = `boottime ${1000 * 3600} 0\n`;
    const first: readonly Op[] = [
      { op: 'unshare', namespaces: ['time'] },
      { op: 'write', path: 'self/timens_offsets', bytes: Buffer.from(hours), proc: true },
      { op: 'open-space', namespace: 'time', path: '/proc/self/ns/time_for_children' },
      { op: 'join', namespace: 'time' },
    ];
    const { lines, space } = await inside('cut -d. -f1 /proc/uptime', { first });
    const uptime = Number(readFileSync('/proc/uptime', 'utf8').split('.')[0]);
    expect(Number(lines[0]) - uptime).toBeGreaterThanOrEqual(1000 * 3600 - 1);
    expect(space('time')).not.toBe(readlinkSync('/proc/self/ns/time'));
  });

  it('have a host name and a domain name', async () => {
    const first: readonly Op[] = [{ op: 'unshare', namespaces: ['uts'] }];
    const inRoot: readonly Op[] = [
      { op: 'unshare', namespaces: ['uts'] },
      { op: 'names', hostname: 'host', domainname: 'domain.test' },
    ];
    const { lines, pid } = await inside('hostname; cat /proc/sys/kernel/domainname', {
      first,
      inRoot,
    });
    expect(lines).toEqual(['host', 'domain.test']);
    const seen = ['cat', '/proc/sys/kernel/hostname', '/proc/sys/kernel/domainname'];
    expect(execFileSync('nsenter', ['-u', '-t', String(pid), ...seen], { encoding: 'utf8' })).toBe(
      'host\ndomain.test\n',
    );
  });
});

describe('mounts', () => {
  const shared = 1n << 20n;
  const slave = 1n << 19n;
  /** A directory on which another file system is mounted, in the shim's mount namespace. */
  async function tree(): Promise<string> {
    const dir = `${pod.dir}/tree${++count}`;
    mkdirSync(`${dir}/sub`, { recursive: true });
    const rest = { fstype: 'tmpfs', source: 'tmpfs', flags: 0, data: 'mode=777' };
    await pod.shim.run([{ op: 'mount', target: `${dir}/sub`, ...rest }]);
    return dir;
  }
  const inRoot = { inRoot: true, create: true } as const;
  const optionsOf = (file: (name: string) => string, target: string) =>
    file('mountinfo')
      .split('\n')
      .map((line) => line.split(' '))
      .filter((fields) => fields[4] === target)
      .map((fields) => `${fields[5]} ${fields.slice(6, fields.indexOf('-')).join(' ')}`.trim());

  it('are bound with what is below, and changed alone or with that', async () => {
    const source = await tree();
    const bind = { op: 'bind', source, ...inRoot, recursive: true } as const;
    const { file, lines } = await inside(
      'touch /a/sub/x && echo written; touch /b/sub/x || echo no',
      {
        inRoot: [
          { ...bind, target: '/a', flags: 1 },
          { ...bind, target: '/b', flags: 0, recursiveSet: 1 | 8 },
          { ...bind, target: '/c', flags: 0, recursiveSet: 1 | 8, clear: 0 },
          { op: 'set-mount', path: '/c/sub', inRoot: true, clear: 1 },
        ],
      },
    );
    expect(lines).toEqual(['written', 'no']);
    const shown = ['/a', '/a/sub', '/b', '/b/sub', '/c', '/c/sub'].map((target) =>
      optionsOf(file, target).map((options) => options.split(' ')[0]),
    );
    expect(shown).toEqual([
      ['ro,relatime'],
      ['rw,relatime'],
      ['ro,noexec,relatime'],
      ['ro,noexec,relatime'],
      ['ro,noexec,relatime'],
      ['rw,noexec,relatime'],
    ]);
  });

  it('have the propagation that is asked for', async () => {
    const source = await tree();
    const bind = { op: 'bind', source, ...inRoot, recursive: true, flags: 0 } as const;
    const { file } = await inside('', {
      inRoot: [
        { ...bind, target: '/s', propagation: shared },
        { ...bind, target: '/r', recursivePropagation: shared },
        { op: 'set-mount', path: '/r', inRoot: true, propagation: slave },
      ],
    });
    const kinds = ['/s', '/s/sub', '/r', '/r/sub'].map((target) =>
      optionsOf(file, target)[0]!
        .replace(/^\S+ ?/, '')
        .replace(/\d+/g, 'N'),
    );
    expect(kinds[0]).toBe('shared:N');
    expect(kinds[1]).not.toContain('shared');
    expect(kinds.slice(2)).toEqual(['', 'shared:N']);
  });

  it('are mapped by a user namespace of their own', async () => {
    const source = `${pod.dir}/mapped`;
    mkdirSync(source);
    writeFileSync(`${source}/file`, '');
    chownSync(`${source}/file`, 7, 8);
    const map = `7 ${firstId + 70} 2\n`;
    await pod.shim.run([
      { op: 'new-user', namespace: 8, uidMap: map, gidMap: map },
      { op: 'hold', namespace: 8 },
    ]);
    const { lines, pid } = await inside('stat -c %u:%g /m/file', {
      inRoot: [{ ...bindDefaults, source, target: '/m', ...inRoot, idmap: true, idmapSlot: 8 }],
    });
    expect(lines).toEqual(['70:71']);
    const seen = execFileSync('stat', ['-c', '%u:%g', `/proc/${pid}/root/m/file`], {
      encoding: 'utf8',
    });
    expect(seen).toBe(`${firstId + 70}:${firstId + 71}\n`);
  });

  it('hold what they cover when it is copied up', async () => {
    const dir = `${pod.layer}/full`;
    mkdirSync(`${dir}/sub/deep`, { recursive: true });
    writeFileSync(`${dir}/sub/deep/file`, 'text\n', { mode: 0o640 });
    symlinkSync('sub/deep', `${dir}/link`);
    chownSync(`${dir}/sub`, 5, 6);
    execFileSync('mknod', [`${dir}/disk`, 'b', '7', '99']);
    const { lines, file } = await inside(
      'ls /full; cat /full/link/file; stat -c "%a %u:%g" /full/sub/deep/file /full/sub; touch /full/x',
      {
        inRoot: [
          {
            op: 'mount',
            ...{ source: 'tmpfs', target: '/full', fstype: 'tmpfs', flags: 0, data: 'mode=755' },
            ...{ inRoot: true, copyUp: true },
          },
        ],
      },
    );
    expect(lines).toEqual(['link', 'sub', 'text', '640 0:0', '755 5:6']);
    expect(file('mountinfo')).toMatch(/ \/full .* - tmpfs /);
  });
});

describe('a process', () => {
  it('has the settings of its list', async () => {
    const mask = Buffer.from([1]);
    const { file, lines, pid } = await inside('', {
      last: last(
        'ulimit -n; ulimit -Hn; cut -d" " -f19 /proc/self/stat; uname -m; nproc',
        { op: 'rlimit', resource: 7, soft: 100n, hard: 200n },
        {
          op: 'scheduler',
          ...{ policy: 3, nice: 5, priority: 0, flags: 0n, runtime: 0n, deadline: 0n, period: 0n },
        },
        { op: 'io-priority', priority: (2 << 13) | 6 },
        { op: 'affinity', mask },
        { op: 'personality', persona: 8 },
      ),
    });
    expect(lines).toEqual(['100', '200', '5', expect.stringMatching(/^(i686|armv8l)$/), '1']);
    const stat = file('stat').split(') ')[1]!.split(' ');
    expect({
      files: /Max open files +(\d+) +(\d+)/.exec(file('limits'))?.slice(1),
      nice: stat[16],
      policy: stat[38],
      cpus: /Cpus_allowed_list:\t(.*)/.exec(file('status'))?.[1],
      persona: file('personality'),
      io: execFileSync('ionice', ['-p', String(pid)], { encoding: 'utf8' }).trim(),
    }).toEqual({
      files: ['100', '200'],
      nice: '5',
      policy: '3',
      cpus: '0',
      persona: '00000008',
      io: 'best-effort: prio 6',
    });
  });

  it('is given files of procfs that nothing was mounted over', async () => {
    const write = (path: string): Op => ({
      op: 'write',
      path,
      bytes: Buffer.from('7'),
      proc: true,
    });
    const { file, lines } = await inside('cat /proc/self/oom_score_adj', {
      first: [write('self/oom_score_adj')],
    });
    expect([file('oom_score_adj'), ...lines]).toEqual(['7', '7']);
    const cover = (target: string, source: string): Op => ({ ...bindDefaults, source, target });
    const failures = [
      [cover('/proc/sys', pod.dir), write('sys/file')],
      [cover('/proc', pod.dir), write('self/oom_score_adj')],
      [write('self/root/etc/passwd')],
      [write('../etc/passwd')],
    ].map((ops) =>
      pod.shim.run([{ op: 'unshare', namespaces: ['mount'] }, { op: 'make-private' }, ...ops]),
    );
    const codes = (await Promise.allSettled(failures)).map((each) =>
      each.status === 'rejected' ? (each.reason as { code: string }).code : 'written',
    );
    expect(codes).toEqual(['EXDEV', 'EXDEV', 'ELOOP', 'EXDEV']);
  });

  it('has its terminal as console', async () => {
    const { lines, pid, file } = await inside('', {
      rest: { terminal: true },
      last: last(
        'tty < /dev/console; ls -l /dev/console | cut -c1',
        { op: 'terminal', console: true },
        { op: 'new-session', controllingTerminal: true },
      ),
    });
    expect(lines.map((line) => line.trim())).toEqual(['/dev/console', 'c']);
    expect(readlinkSync(`/proc/${pid}/fd/0`)).toMatch(/^\/dev\/pts\/0/);
    expect(file('mountinfo')).toMatch(/\/0 \/dev\/console .* - devpts /);
  });
});

describe('sync', () => {
  const argv = ['sh', '-c', 'cat /tmp/said'];
  const stop: Wanted = { inRoot: [{ op: 'sync' }] };

  it('lets the starter act beside the process that waits, and go on', async () => {
    const container = `o${++count}`;
    const seen: string[] = [];
    const ended = Promise.withResolvers<void>();
    pod.shim.onExit((exit) => exit.container === container && ended.resolve());
    await startContainer(pod, {
      container,
      argv,
      inRoot: [{ op: 'sync' }, { op: 'sync' }],
      rest: {
        onSync: async ({ pid }) => {
          seen.push(readFileSync(`/proc/${pid}/comm`, 'utf8').trim());
          const session = await pod.shim.exec({
            ...{ container, stdin: false, terminal: undefined },
            ops: [
              { op: 'enter-container', container },
              { op: 'set-root', path: `${pod.dir}/root` },
              {
                op: 'exec',
                argv: ['/bin/sh', '-c', `echo ${seen.length} >> ${pod.dir}/root/tmp/said`],
                env: [],
              },
            ],
          });
          expect((await session.exited).exitCode).toBe(0);
        },
      },
    });
    await ended.promise;
    expect(seen).toEqual(['orc-shim', 'orc-shim']);
    expect(messages(logPath(pod, container), 'stdout')).toEqual(['1', '2']);
  });

  it('ends a start with what the starter throws, and nothing is left', async () => {
    const container = `o${++count}`;
    let waiting = 0;
    const onSync = async ({ pid }: { readonly pid: number }) => {
      waiting = pid;
      throw new Error('a hook failed');
    };
    const start = startContainer(pod, { container, argv, ...stop, rest: { onSync } });
    await expect(start).rejects.toThrow('a hook failed');
    expect((await pod.shim.list()).map((each) => each.container)).not.toContain(container);
    await expect.poll(() => isThere(waiting)).toBe(false);
  });
});

const isThere = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('a filter that asks somebody', () => {
  /** Asks (SECCOMP_RET_USER_NOTIF) for mkdir and mkdirat on x86-64, allows all else. */
  const program = Buffer.from(
    new Uint8Array(
      [
        [0x20, 0, 0, 0],
        [0x15, 0, 1, 83],
        [0x06, 0, 0, 0x7fc0_0000],
        [0x15, 0, 1, 258],
        [0x06, 0, 0, 0x7fc0_0000],
        [0x06, 0, 0, 0x7fff_0000],
      ].flatMap(([code, jt, jf, k]) => {
        const instruction = Buffer.alloc(8);
        instruction.writeUInt16LE(code!, 0);
        instruction[2] = jt!;
        instruction[3] = jf!;
        instruction.writeUInt32LE(k!, 4);
        return [...instruction];
      }),
    ),
  );
  const NEW_LISTENER = 8;

  it.runIf(process.arch === 'x64')(
    'sends its listener with a message that has the pid',
    async () => {
      const path = `${pod.dir}/listener`;
      const told = Promise.withResolvers<string>();
      const server = createServer((socket) => {
        let text = '';
        socket.on('data', (chunk) => {
          text += chunk;
        });
        socket.on('end', () => told.resolve(text));
      });
      try {
        await new Promise<void>((listening) => server.listen(path, listening));
        const { lines, pid, file } = await inside('', {
          last: last('mkdir /tmp/made 2>&1', { op: 'seccomp', program, flags: NEW_LISTENER }),
          rest: { listener: { path, message: '{"pid":\u0001,"again":"\u0001"}' } },
        });
        expect(JSON.parse(await told.promise)).toEqual({ pid, again: String(pid) });
        // Nobody has taken the descriptor, so nobody answers.
        expect(lines).toEqual([
          "mkdir: can't create directory '/tmp/made': Function not implemented",
        ]);
        expect(file('status')).toMatch(/^Seccomp:\t2$/m);
      } finally {
        server.close();
      }
    },
  );

  it.runIf(process.arch === 'x64')('does not start without somebody', async () => {
    const start = inside('', {
      last: last('true', { op: 'seccomp', program, flags: NEW_LISTENER }),
      rest: { listener: { path: `${pod.dir}/nobody`, message: '' } },
    });
    await expect(start).rejects.toThrow('seccomp listener: ENOENT');
  });
});

describe('a program of the host', () => {
  const sh = (script: string, timeoutMs = 10_000): Op => {
    return { op: 'spawn', argv: ['/bin/sh', '-c', script], env: [], timeoutMs };
  };

  it('is waited for, and must succeed', async () => {
    await pod.shim.run([sh(`sleep 0.1; echo done > ${pod.dir}/spawned`)]);
    expect(readFileSync(`${pod.dir}/spawned`, 'utf8')).toBe('done\n');
    await expect(pod.shim.run([sh('exit 3')])).rejects.toThrow('spawn: program: ECHILD');
  });

  it('is killed when it takes longer than it may', async () => {
    const late = pod.shim.run([sh(`echo $$ > ${pod.dir}/late; exec sleep 1000`, 300)]);
    await expect(late).rejects.toThrow('spawn: program: ETIMEDOUT');
    const pid = readFileSync(`${pod.dir}/late`, 'utf8').trim();
    await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
  });
});
