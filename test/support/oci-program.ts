import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { removeGroup } from '../../agent/kernel/cgroup-end.ts';
import { type CgroupDirectory, findCgroupTrees } from '../../agent/kernel/cgroup-trees.ts';
import type { OciSpec } from '../../agent/oci/oci-spec.ts';
import { processState } from '../../agent/oci-command/container-state.ts';
import { systemClock } from '../../base/clock.ts';
import { nativeBinary } from '../../native/binary.ts';
import { makeBusyboxRoot } from './busybox.ts';
import type { Run } from './run-program.ts';
import { waitFor } from './wait-for.ts';

const plannerSource = fileURLToPath(new URL('../../agent/oci-planner.ts', import.meta.url));
/** Of root's planners: native/oci.c. */
const plannerSockets = '/run/orc-oci-planner';
const callDeadlineMs = 30_000;
/** What limits are set for here. */
const controllers = ['cpuset', 'blkio', 'io', 'hugetlb', 'freezer', 'net_cls', 'net_prio'];

/** `orc-oci` as an installation has it, with containers, bundles and a planner of a test's own. */
export interface OciProgram extends AsyncDisposable {
  readonly dir: string;
  /** The path of `orc-oci`. */
  readonly program: string;
  /** Where containers are remembered. */
  readonly root: string;
  readonly rootfs: string;
  readonly cgroupVersion: 1 | 2;
  /** `orc-oci --root … WORDS`, to its end: what it leaves running may hold its streams. */
  run(...words: readonly string[]): Promise<Run>;
  call(words: readonly string[], options?: CallOptions): Promise<Run>;
  /** One that may be killed in between. */
  begin(words: readonly string[], options?: CallOptions): Ongoing;
  /** A bundle for a container that isn't there yet, whose process is a shell with this script. */
  bundle(script: string, over?: Over): Bundle;
  /** `run`, in the foreground. */
  foreground(script: string, over?: Over & { readonly call?: CallOptions }): Promise<Run>;
  created(script: string, over?: Over): Promise<Container>;
  running(script: string, over?: Over): Promise<Container>;
  status(id: string): Promise<unknown>;
  /** A file of a container's group; undefined: it isn't there. */
  groupFile(id: string, file: string): string | undefined;
  /** Where a container's groups are, if they are there. */
  groups(id: string): readonly CgroupDirectory[];
  planners(): readonly number[];
  [Symbol.asyncDispose](): Promise<void>;
}

export interface CallOptions {
  /** What it reads, or the descriptor that it reads from; none: nothing. */
  readonly input?: string | number;
  /** Of the environment, beside this process's. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Descriptors of this process that it has as 3, 4 … */
  readonly fds?: readonly number[];
  /** Before `--root`: a program that calls it. */
  readonly by?: readonly string[];
}

export interface Ongoing {
  readonly pid: number;
  kill(): void;
  readonly ended: Promise<Run>;
  /** What it has said so far. */
  out(): string;
}

export interface Over {
  readonly process?: Partial<OciSpec['process']>;
  readonly linux?: Partial<OciSpec['linux']>;
  /** After the usual ones. */
  readonly mounts?: OciSpec['mounts'];
  readonly spec?: Partial<OciSpec>;
}

export interface Bundle {
  readonly id: string;
  readonly dir: string;
  /** What config.json says. */
  readonly spec: OciSpec;
}

export interface Container extends Bundle {
  readonly pid: number;
  out(): string;
}

export async function openOciProgram(): Promise<OciProgram> {
  const place = await makePlace();
  const { dir } = place;
  const [program, root, rootfs] = ['program/orc-oci', 'root', 'rootfs'].map((path) =>
    join(dir, path),
  ) as [string, string, string];
  let count = 0;
  const begin = (words: readonly string[], { by = [], ...options }: CallOptions = {}) => {
    const [file, ...args] = [...by, program, '--root', root, ...words];
    return beginCall(join(dir, 'said', `${count++}`), [file ?? '', ...args], options);
  };
  const call: OciProgram['call'] = (words, options) => begin(words, options).ended;
  const run = (...words: readonly string[]) => call(words);
  const bundle = (script: string, over: Over = {}) => {
    const id = `c${count++}`;
    return makeBundle({ id, dir: join(dir, 'bundles', id), spec: place.spec(id, script, over) });
  };
  const created = async (script: string, over?: Over) => {
    const made = bundle(script, over);
    const { ended, out } = begin(['create', '-b', made.dir, '--pid-file', 'pid', made.id], {
      cwd: made.dir,
    });
    mustWork(await ended);
    return { ...made, pid: Number(readFileSync(join(made.dir, 'pid'), 'utf8')), out };
  };
  return {
    ...{ dir, program, root, rootfs, cgroupVersion: place.cgroupVersion },
    ...{ run, call, begin, bundle, created },
    foreground: async (script, { call: options, ...over } = {}) => {
      const { id, dir: own } = bundle(script, over);
      return call(['run', '-b', own, id], options);
    },
    async running(script, over) {
      const made = await created(script, over);
      mustWork(await run('start', made.id));
      return made;
    },
    status: async (id) => JSON.parse(mustWork(await run('state', id)).out).status,
    groupFile(id, file) {
      const [controller = ''] = file.split('.');
      const names = ['', controller === 'cgroup' ? 'pids' : controller];
      const found = place.groups(id).find((each) => names.includes(each.controller));
      const path = found && join(found.path, file);
      return path && existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
    },
    groups: (id) => place.groups(id).filter(({ path }) => existsSync(path)),
    planners: () => plannersOf(dir),
    async [Symbol.asyncDispose]() {
      const ids = existsSync(root) ? readdirSync(root) : [];
      await Promise.all(ids.map((id) => run('delete', '--force', id)));
      await place.end();
    },
  };
}

/** A named pipe: the descriptor that keeps it open, for reading and for writing. */
export function openPipe(path: string): number {
  rmSync(path, { force: true });
  execFileSync('sh', ['-c', 'mkfifo "$0"', path]);
  return openSync(path, 'r+');
}

/** Throws what it has said, if it hasn't worked. */
export function mustWork(run: Run): Run {
  if (run.code === 0) return run;
  throw new Error(`exit code ${run.code}: ${run.err}`);
}

/** An installation's directory, the groups of its containers, and what ends both. */
async function makePlace() {
  const dir = mkdtempSync(`${tmpdir()}/orc-oci-program-`);
  for (const name of ['program', 'rootfs', 'bundles', 'said']) mkdirSync(join(dir, name));
  await makeBusyboxRoot(join(dir, 'rootfs'));
  copyFileSync(nativeBinary, join(dir, 'program/orc-oci'));
  symlinkSync(process.execPath, join(dir, 'program/node'));
  // No link: by the file's number a planner is known, and this one is to be nobody else's.
  writeFileSync(join(dir, 'program/planner'), `import ${JSON.stringify(plannerSource)};\n`);
  const before = existsSync(plannerSockets) ? readdirSync(plannerSockets) : undefined;
  const parent = `/${basename(dir)}`;
  const { version, trees } = await findCgroupTrees(controllers);
  const groups = (id: string) =>
    trees.map(({ controller, mount }) => ({ controller, path: join(mount, parent, id) }));
  return {
    dir,
    groups,
    cgroupVersion: version,
    spec: (id: string, script: string, over: Over) =>
      specOf(script, { ...over, linux: { cgroupsPath: `${parent}/${id}`, ...over.linux } }, dir),
    async end() {
      await endPlanners(plannersOf(dir));
      await removeGroup(groups(''), systemClock());
      await removeSockets(before);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function plannersOf(dir: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => argvOf(pid)[0] === join(dir, 'program/node'));
}

/** Empty: there is no such process, or it has none. */
export function argvOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}

/** A zombie doesn't: it waits for whoever is its parent now. */
export function isRunning(pid: number): boolean {
  const { letter = 'X' } = processState(pid) ?? {};
  return !/[ZX]/.test(letter);
}

/** Until nobody listens: the first thread of a process may end before the others, which still have all that is open. */
async function endPlanners(pids: readonly number[]): Promise<void> {
  const sockets = pids.map((pid) => join(plannerSockets, argvOf(pid).at(-1) ?? ''));
  for (const pid of pids) process.kill(pid, 'SIGTERM');
  for (const socket of sockets) await waitFor('a planner’s end', () => isRefused(socket));
}

/** Those at which nobody listens any more, and that weren't there before; with all others gone, the directory, too. */
async function removeSockets(before: readonly string[] | undefined): Promise<void> {
  if (!existsSync(plannerSockets)) return;
  for (const name of readdirSync(plannerSockets)) {
    const path = join(plannerSockets, name);
    if (name !== 'log' && !before?.includes(name) && (await isRefused(path)))
      rmSync(path, { force: true });
  }
  const isMine = !before && readdirSync(plannerSockets).every((name) => name === 'log');
  if (isMine) rmSync(plannerSockets, { recursive: true });
}

function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'EAGAIN'));
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
  });
}

/** Its output goes to files: a container that it leaves may write on. */
function beginCall(
  said: string,
  [file = '', ...args]: readonly string[],
  { input, env, cwd, fds = [] }: Omit<CallOptions, 'by'>,
): Ongoing {
  const [out, err] = [openSync(`${said}.out`, 'a'), openSync(`${said}.err`, 'a')];
  const child = spawn(file, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: [typeof input === 'string' ? 'pipe' : (input ?? 'ignore'), out, err, ...fds],
    timeout: callDeadlineMs,
    killSignal: 'SIGKILL',
  });
  for (const fd of [out, err]) closeSync(fd);
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
  const read = (stream: string) => readFileSync(`${said}.${stream}`, 'utf8');
  const ended = new Promise<Run>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (status, signal) => {
      const code = status ?? 128 + constants.signals[signal ?? 'SIGKILL'];
      resolve({ code, out: read('out'), err: read('err') });
    });
  });
  return { pid: child.pid!, kill: () => child.kill('SIGKILL'), ended, out: () => read('out') };
}

function makeBundle(bundle: Bundle): Bundle {
  mkdirSync(bundle.dir, { recursive: true });
  writeConfig(bundle, bundle.spec);
  return bundle;
}

export function writeConfig({ dir }: Pick<Bundle, 'dir'>, spec: unknown): void {
  writeFileSync(join(dir, 'config.json'), JSON.stringify(spec));
}

const capabilities = ['CAP_CHOWN', 'CAP_KILL', 'CAP_SETUID', 'CAP_SETGID'];
const hidden = ['nosuid', 'nodev', 'noexec'];

function specOf(script: string, over: Over, dir: string): OciSpec {
  const mount = (type: string, destination: string, options: readonly string[]) => ({
    ...{ type, source: type, destination, options },
  });
  return {
    ociVersion: '1.2.0',
    root: { path: join(dir, 'rootfs') },
    mounts: [
      mount('proc', '/proc', hidden),
      mount('tmpfs', '/dev', ['nosuid', 'strictatime', 'mode=755', 'size=64k']),
      mount('devpts', '/dev/pts', ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'gid=5']),
      mount('tmpfs', '/tmp', ['mode=1777', 'size=1m']),
      ...(over.mounts ?? []),
    ],
    ...over.spec,
    process: {
      args: ['sh', '-c', script],
      cwd: '/',
      env: ['PATH=/bin:/usr/bin:/sbin:/usr/sbin'],
      user: { uid: 0, gid: 0 },
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      ...over.process,
    },
    linux: {
      namespaces: (['mount', 'pid', 'network', 'ipc', 'uts'] as const).map((type) => ({ type })),
      ...over.linux,
    },
  };
}
