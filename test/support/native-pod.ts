import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { type Launcher, startLauncher } from '../../agent/kernel/launcher.ts';
import type { Op } from '../../agent/kernel/op.ts';
import type { ExecSession, ShimContainer, StartRequest } from '../../agent/kernel/shim.ts';
import type { Shim } from '../../agent/kernel/shim-client.ts';
import { planPodSpaces } from '../../agent/oci/plan-spaces.ts';
import { silentLog } from '../../base/log.ts';
import { nativeBinary } from '../../native/binary.ts';
import { makeBusyboxRoot } from './busybox.ts';

/** Ids 0…65535 of a test's user namespaces, as the host sees them. */
export const firstId = 1_000_000;

const path = '/bin:/usr/bin:/sbin:/usr/sbin';

/** One shim on a directory of its own, with a busybox layer; `end` leaves nothing behind. */
export interface NativePod {
  readonly dir: string;
  readonly layer: string;
  readonly launcher: Launcher;
  readonly shim: Shim;
  end(): Promise<void>;
}

export async function startPod(): Promise<NativePod> {
  const dir = mkdtempSync(`${tmpdir()}/orc-native-`);
  for (const name of ['run', 'layer', 'upper', 'work', 'root', 'logs', 'lower'])
    mkdirSync(`${dir}/${name}`);
  await makeBusyboxRoot(`${dir}/layer`);
  const launcher = startLauncher({ binary: nativeBinary, log: silentLog });
  const shim = await launcher.startShim({ runDir: `${dir}/run`, cgroupProcs: [] });
  return {
    dir,
    layer: `${dir}/layer`,
    launcher,
    shim,
    async end() {
      await endShim(shim);
      launcher.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A test may have killed it already. */
export async function endShim(shim: Shim): Promise<void> {
  try {
    await shim.shutdown();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'ShimLost') throw error;
  }
}

export async function createSandbox({ shim }: NativePod): Promise<void> {
  const userNamespace = { firstId, size: 65_536 };
  await shim.run(planPodSpaces({ userNamespace, hostNetwork: false }));
  await shim.run([
    { op: 'join', namespace: 'uts' },
    { op: 'names', hostname: 'native-pod' },
  ]);
}

/** The pod's layer, idmapped, below an overlay whose upper directory belongs to the pod's root. */
export function overlayRoot(pod: NativePod): readonly Op[] {
  const { dir } = pod;
  const owned = { mode: 0o755, uid: firstId, gid: firstId, inRoot: false } as const;
  return [
    {
      ...bindDefaults,
      source: pod.layer,
      target: `${dir}/lower`,
      idmap: true,
    },
    { op: 'mkdir', path: `${dir}/upper/files`, ...owned },
    { op: 'mkdir', path: `${dir}/work/files`, ...owned },
    {
      ...mountDefaults,
      source: 'overlay',
      target: `${dir}/root`,
      fstype: 'overlay',
      flags: ['nodev'],
      data: `lowerdir=${dir}/lower,upperdir=${dir}/upper/files,workdir=${dir}/work/files`,
    },
  ];
}

const mountDefaults = { op: 'mount', data: '' } as const;

export const bindDefaults = { op: 'bind', flags: 0 } as const;

/** Into the pod's overlay root with proc and /dev, up to where the process' own operations begin. */
export function rootOps(pod: NativePod, extra: readonly Op[] = []): readonly Op[] {
  const inRoot = { inRoot: true, create: true, data: '' } as const;
  return [
    { op: 'join', namespace: 'network' },
    { op: 'join', namespace: 'ipc' },
    { op: 'join', namespace: 'uts' },
    { op: 'set-root', path: `${pod.dir}/root` },
    {
      op: 'mount',
      ...inRoot,
      source: 'proc',
      target: '/proc',
      fstype: 'proc',
      flags: ['nosuid', 'nodev', 'noexec'],
    },
    {
      op: 'mount',
      ...inRoot,
      source: 'tmpfs',
      target: '/dev',
      fstype: 'tmpfs',
      flags: ['nosuid'],
      data: `mode=755,size=64k,uid=${firstId},gid=${firstId}`,
    },
    {
      op: 'mount',
      ...inRoot,
      source: 'devpts',
      target: '/dev/pts',
      fstype: 'devpts',
      flags: ['nosuid', 'noexec'],
      data: `newinstance,ptmxmode=0666,mode=0620,gid=${firstId + 5}`,
    },
    { op: 'symlink', path: '/dev/ptmx', inRoot: true, to: 'pts/ptmx' },
    device('/dev/null', 1, 3),
    device('/dev/tty', 5, 0),
    ...extra,
    { op: 'pivot-root' },
    { op: 'chdir', path: '/' },
  ];
}

function device(path: string, major: number, minor: number): Op {
  const mode = 0o020666;
  return { op: 'mknod', path, inRoot: true, mode, major, minor, uid: firstId, gid: firstId };
}

function sessionOps(terminal: boolean): readonly Op[] {
  const session: Op = { op: 'new-session', controllingTerminal: terminal };
  return terminal ? [{ op: 'terminal' }, session] : [session];
}

/** For a container that nobody talks to. */
export const noStreams = { terminal: false, stdin: 'none' } as const;

/** The last part: into the user namespace as `uid`, and exec. */
export function execOps(argv: readonly string[], uid = 0): readonly Op[] {
  return [
    { op: 'join', namespace: 'user' },
    { op: 'set-ids', uid, gid: uid, groups: [] },
    { op: 'exec', argv, env: [`PATH=${path}`, 'HOME=/root', 'TERM=dumb'] },
  ];
}

export interface Start {
  readonly container: string;
  readonly argv: readonly string[];
  readonly uid?: number;
  readonly terminal?: boolean;
  readonly stdin?: 'none' | 'open' | 'once';
  /** Before anything else of the list. */
  readonly first?: readonly Op[];
  readonly inRoot?: readonly Op[];
  readonly last?: readonly Op[];
  readonly logMaxBytes?: number;
  readonly logMaxFiles?: number;
  /** Further fields of the request. */
  readonly rest?: Partial<StartRequest>;
}

export function startContainer(pod: NativePod, start: Start): Promise<{ readonly pid: number }> {
  const last = start.last ?? execOps(start.argv, start.uid);
  return pod.shim.start({
    container: start.container,
    cgroup2Dir: undefined,
    logPath: logPath(pod, start.container),
    logMaxBytes: start.logMaxBytes ?? 1_000_000,
    logMaxFiles: start.logMaxFiles ?? 3,
    terminal: start.terminal ?? false,
    stdin: start.stdin ?? 'none',
    owner: ownerOf(last),
    ops: [
      ...(start.first ?? []),
      ...rootOps(pod, start.inRoot),
      ...(start.rest?.terminal ? [] : sessionOps(start.terminal ?? false)),
      ...last,
    ],
    ...start.rest,
  });
}

function ownerOf(ops: readonly Op[]): number {
  return firstId + (ops.findLast((op) => op.op === 'set-ids')?.uid ?? 0);
}

export function logPath(pod: NativePod, container: string): string {
  return `${pod.dir}/logs/${container}.log`;
}

/** Starts the container and waits for its end. */
export async function runContainer(pod: NativePod, start: Start): Promise<ShimContainer> {
  const ended = Promise.withResolvers<ShimContainer>();
  pod.shim.onExit((exit) => exit.container === start.container && ended.resolve(exit));
  await startContainer(pod, start);
  return ended.promise;
}

/** Starts a process beside a container's first one. */
export function execIn(
  pod: NativePod,
  container: string,
  options: {
    readonly argv: readonly string[];
    readonly stdin?: boolean;
    readonly terminal?: { readonly columns: number; readonly rows: number };
    readonly uid?: number;
    /** Operations before the container is entered. */
    readonly before?: readonly Op[];
    readonly cgroup2Dir?: string;
  },
): Promise<ExecSession> {
  return pod.shim.exec({
    container,
    stdin: options.stdin ?? false,
    terminal: options.terminal,
    owner: firstId + (options.uid ?? 0),
    cgroup2Dir: options.cgroup2Dir,
    ops: [
      ...(options.before ?? []),
      { op: 'enter-container', container },
      { op: 'join', namespace: 'network' },
      { op: 'join', namespace: 'ipc' },
      { op: 'join', namespace: 'uts' },
      { op: 'set-root', path: '/' },
      ...sessionOps(options.terminal !== undefined),
      { op: 'chdir', path: '/' },
      ...execOps(options.argv, options.uid),
    ],
  });
}

/** The texts of a log's lines; pieces of a long line are joined. */
export function messages(log: string, stream: 'stdout' | 'stderr'): readonly string[] {
  const lines: string[] = [];
  let rest = '';
  for (const line of readFileSync(log, 'utf8').split('\n').slice(0, -1)) {
    const [, of, tag, text] = /^\S+ (stdout|stderr) ([FP]) ([^\n]*)$/.exec(line) ?? [];
    if (of === undefined) throw new Error(`not a line of a log: ${line.slice(0, 100)}`);
    if (of !== stream) continue;
    rest += text;
    if (tag === 'F') {
      lines.push(rest);
      rest = '';
    }
  }
  return lines;
}
