import {
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Op } from '../../../agent/kernel/op.ts';
import { OpError } from '../../../agent/kernel/op-error.ts';
import { buildAttacker } from '../../support/attacker.ts';
import {
  bindDefaults,
  createSandbox,
  execOps,
  firstId,
  logPath,
  messages,
  type NativePod,
  overlayRoot,
  rootOps,
  runContainer,
  startContainer,
  startPod,
} from '../../support/native-pod.ts';
import { rounds } from '../../support/rounds.ts';

let pod: NativePod;
/** Of the host: nothing may be made in it, and its file is never seen inside. */
let host: string;
let volume: string;

beforeEach(async () => {
  pod = await startPod();
  host = `${pod.dir}/host`;
  volume = `${pod.dir}/volume`;
  mkdirSync(host);
  mkdirSync(volume);
  writeFileSync(`${host}/secret`, 'untouched');
  await createSandbox(pod);
});
afterEach(() => pod?.end());

const owner = { mode: 0o755, uid: firstId, gid: firstId } as const;
const shared = (target = '/v'): Op => ({
  ...bindDefaults,
  inRoot: true,
  create: true,
  source: volume,
  target,
});

let count = 0;
/** What a container with these operations prints; undefined: it could not be started, as the race was lost. */
async function outputOf(
  inRoot: readonly Op[],
  script: string,
): Promise<readonly string[] | undefined> {
  const container = `c${count++}`;
  const run = runContainer(pod, { container, argv: ['sh', '-c', script], inRoot });
  return run.then(
    () => messages(logPath(pod, container), 'stdout'),
    (error: unknown) => {
      if (error instanceof OpError) return undefined;
      throw error;
    },
  );
}

/** A container that swaps a directory of the volume and a link to the host's, all the time. */
async function startRacer(): Promise<void> {
  mkdirSync(`${volume}/part`);
  chownSync(volume, firstId, firstId);
  symlinkSync(host, `${volume}/link`);
  buildAttacker(`${pod.layer}/bin/attacker`);
  await pod.shim.run(overlayRoot(pod));
  const argv = ['attacker', 'exchange', '/v/part', '/v/link'];
  await startContainer(pod, { container: 'racer', argv, inRoot: [shared()] });
}

describe('while a container exchanges a directory and a link in a shared volume (5, 10, 46)', () => {
  /** With `inRoot` off: as runtimes did before CVE-2021-30465. */
  const targets = (inRoot: boolean): readonly Op[] => {
    const part = inRoot ? '/v/part' : `${pod.dir}/root/v/part`;
    const tmpfs = { op: 'mount', source: 'x', fstype: 'tmpfs', flags: [], data: '' } as const;
    return [
      shared(),
      { op: 'mkdir', path: `${part}/made`, inRoot, ...owner },
      { ...tmpfs, target: `${part}/made`, inRoot, create: inRoot },
      { ...bindDefaults, source: '/etc', target: `${part}/etc`, inRoot, create: true },
    ];
  };

  it(
    'nothing is made or mounted at the link’s end for another container',
    async () => {
      await startRacer();
      let ran = 0;
      for (let i = 0; i < rounds(100); i++)
        ran += (await outputOf(targets(true), 'echo ran'))?.length ?? 0;
      expect(readdirSync(host)).toEqual(['secret']);
      expect(ran).toBeGreaterThan(0);
    },
    rounds(60_000),
  );

  it('(without the confinement to the root, something is)', async () => {
    await startRacer();
    for (let i = 0; i < 100 && readdirSync(host).length === 1; i++)
      await outputOf(targets(false), 'true');
    expect(readdirSync(host)).not.toEqual(['secret']);
  });

  /** With `below` off: the volume's directory is part of the path, and the links in it are followed. */
  const source = (below: boolean): readonly Op[] => {
    const bind = { ...bindDefaults, inRoot: true, create: true, target: '/s' } as const;
    if (!below) return [{ ...bind, source: `${volume}/part` }];
    return [{ ...bind, source: 'part', sourceBelow: volume }];
  };

  it(
    'a sub path never shows what the link leads to',
    async () => {
      await startRacer();
      let ran = 0;
      for (let i = 0; i < rounds(100); i++) {
        const lines = await outputOf(source(true), 'ls /s; echo ran');
        expect(lines ?? []).not.toContain('secret');
        ran += Number(lines?.includes('ran') ?? false);
      }
      expect(ran).toBeGreaterThan(0);
    },
    rounds(60_000),
  );

  it('(without the confinement to the volume, it does)', async () => {
    await startRacer();
    const seen = new Set<string>();
    for (let i = 0; i < 100 && !seen.has('secret'); i++)
      for (const name of (await outputOf(source(false), 'ls /s')) ?? []) seen.add(name);
    expect(seen).toContain('secret');
  });
});

describe('a terminal (12)', () => {
  const terminal: readonly Op[] = [
    { op: 'terminal', console: true },
    { op: 'new-session', controllingTerminal: true },
  ];
  const exec = execOps(['sh', '-c', 'echo said > /dev/console']);
  const run = (inRoot: readonly Op[]) => {
    const rest = { ops: [...rootOps(pod, inRoot), ...terminal, ...exec] };
    return runContainer(pod, { container: 'c', argv: [], terminal: true, rest });
  };

  it('is bound to what /dev/console leads to inside, never to a file of the host', async () => {
    await pod.shim.run(overlayRoot(pod));
    await run([{ op: 'symlink', path: '/dev/console', inRoot: true, to: `${host}/secret` }]);
    expect(readFileSync(logPath(pod, 'c'), 'utf8')).toMatch(/stdout F said/);
    expect(readFileSync(`${host}/secret`, 'utf8')).toBe('untouched');
  });

  it.for([
    [
      'a link to the host’s',
      { op: 'symlink', path: '/dev/pts/ptmx', inRoot: true, to: '/dev/ptmx' },
    ],
    [
      'another device',
      {
        op: 'mknod',
        path: '/dev/pts/ptmx',
        inRoot: true,
        ...{ ...owner, mode: 0o020666 },
        ...{ major: 1, minor: 3 },
      },
    ],
  ] as const)('is not taken from %s', async ([, op]) => {
    await pod.shim.run(overlayRoot(pod));
    const cover = { source: 'x', target: '/dev/pts', inRoot: true, create: false } as const;
    const tmpfs: Op = { op: 'mount', ...cover, fstype: 'tmpfs', flags: [], data: '' };
    await expect(run([tmpfs, op])).rejects.toThrow(/terminal.*: (check|open) ptmx: /);
  });

  it('has no place in an image whose /dev/pts is a link', async () => {
    rmSync(`${pod.layer}/dev`, { recursive: true });
    mkdirSync(`${pod.layer}/dev`);
    symlinkSync('/dev/pts', `${pod.layer}/dev/pts`);
    await pod.shim.run(overlayRoot(pod));
    const at = { target: '/dev/pts', inRoot: true, create: true } as const;
    const devpts: Op = { op: 'mount', ...at, source: 'x', fstype: 'devpts', flags: [], data: '' };
    const bare: readonly Op[] = [{ op: 'set-root', path: `${pod.dir}/root` }, devpts];
    const begun = pod.shim.run([{ op: 'unshare', namespaces: ['mount'] }, ...bare]);
    await expect(begun).rejects.toThrow('mount devpts on /dev/pts: open target: ELOOP');
  });
});

describe('a working directory that is a descriptor of ours, in exec (9)', () => {
  /** What is told for each descriptor there could be; "" where the process was started in it. */
  async function problems(root: readonly Op[]): Promise<readonly string[]> {
    await pod.shim.run(overlayRoot(pod));
    await startContainer(pod, { container: 'main', argv: ['sleep', '1000'] });
    const told = [];
    for (let fd = 3; fd < 24; fd++) {
      const chdir: Op = { op: 'chdir', path: `/proc/self/fd/${fd}` };
      const ops: readonly Op[] = [{ op: 'enter-container', container: 'main' }, ...root, chdir];
      const request = { container: 'main', stdin: false, terminal: undefined, owner: firstId };
      const session = await pod.shim.exec({ ...request, ops: [...ops, ...execOps(['true'])] });
      const problem = await session.exited.then(
        () => '',
        (error: Error) => error.message,
      );
      told.push(problem);
    }
    return told;
  }

  it('is refused, whichever', async () => {
    const all = await problems([{ op: 'set-root', path: '/' }]);
    expect(all.filter((problem) => !/open: (ELOOP|ENOENT|ENOTDIR)/.test(problem))).toEqual([]);
  });

  it('(without the root opened anew inside, one of them is the host’s)', async () => {
    expect(await problems([])).toContain('');
  });
});
