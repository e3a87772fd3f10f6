import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, sleep } from '../../base/clock.ts';
import { type CgroupController, CgroupError, findCgroupTrees, positionIn } from './cgroup-trees.ts';
import { type CgroupUsage, readCgroupUsage } from './cgroup-usage.ts';

export interface CgroupFile {
  readonly controller: CgroupController;
  readonly file: string;
  readonly value: string;
  /** The kernel may have been built or booted without it. */
  readonly optional: boolean;
}

/** Groups of one agent, all below its parent. `group` is a path relative to that, as "pod123/web-0". */
export interface Cgroups {
  readonly version: 1 | 2;
  /** Where a group is: the unified directory under the name "", or one for each controller. */
  directories(group: string): readonly CgroupDirectory[];
  /** Makes the group and writes its files; what is there already is brought to these values. Throws CgroupError. */
  ensure(group: string, files: readonly CgroupFile[]): Promise<void>;
  /** How often the kernel has killed a process of the group for want of memory; 0 if there is no such group. */
  oomKills(group: string): Promise<number>;
  /** undefined: no such group. */
  usage(group: string): Promise<CgroupUsage | undefined>;
  /** Kills every process in the group and below, waits for their end and removes it all. Throws CgroupError. */
  remove(group: string): Promise<void>;
  /** Names of the groups directly below this one, or below the parent. */
  list(group?: string): Promise<readonly string[]>;
}

interface CgroupDirectory {
  readonly controller: '' | CgroupController;
  readonly path: string;
}

/**
 * `parent`: "/…" from the hierarchies' roots, else below this process's own place in each (which on version 2 must
 * be a group that may have both processes and children: only the root, so name one). It is made if it isn't there.
 */
export async function openCgroups(options: {
  readonly parent: string;
  readonly clock: Clock;
}): Promise<Cgroups> {
  const { clock, parent } = options;
  const { version, trees } = await findCgroupTrees();
  const tops = trees.map((tree) => ({ ...tree, top: join(tree.mount, positionIn(tree, parent)) }));
  for (const { mount, top } of tops) await makeTop({ version, mount, top });
  const directories = (group: string) =>
    tops.map(({ controller, top }) => ({ controller, path: join(top, group) }));
  return {
    version,
    directories,
    ensure: (group, files) => ensure({ version, directories: directories(group), group }, files),
    oomKills: (group) => oomKills(directories(group)),
    remove: (group) => remove(directories(group), clock),
    usage: (group) => readCgroupUsage(directories(group)),
    list: (group = '') => subgroups(join(tops[0]?.top ?? '', group)),
  };
}

async function makeTop(tree: { version: 1 | 2; mount: string; top: string }): Promise<void> {
  try {
    await mkdir(tree.top, { recursive: true });
    if (tree.version === 2) await delegateDown(tree.mount, tree.top);
  } catch (cause) {
    throw new CgroupError(`making the parent cgroup ${tree.top}`, { cause });
  }
}

const delegated = ['cpu', 'memory', 'pids'] as const;

/** On version 2 every group on the way must hand its controllers down, the last one too. */
async function delegateDown(mount: string, top: string): Promise<void> {
  const steps = top.slice(mount.length).split('/').filter(Boolean);
  for (let depth = 0; depth <= steps.length; depth++)
    await delegate(join(mount, ...steps.slice(0, depth)));
}

async function delegate(directory: string): Promise<void> {
  const file = join(directory, 'cgroup.subtree_control');
  const enabled = (await readFile(file, 'utf8')).trim().split(' ');
  const missing = delegated.filter((controller) => !enabled.includes(controller));
  if (missing.length > 0) await writeFile(file, missing.map((name) => `+${name}`).join(' '));
}

interface GroupPlace {
  readonly version: 1 | 2;
  readonly directories: readonly CgroupDirectory[];
  readonly group: string;
}

async function ensure(place: GroupPlace, files: readonly CgroupFile[]): Promise<void> {
  try {
    for (const { path } of place.directories) await mkdir(path, { recursive: true });
    const parent = place.group.split('/').slice(0, -1).join('/');
    if (place.version === 2 && parent !== '')
      for (const { path } of place.directories) await delegate(join(path, '..'));
    for (const file of files) await writeLimit(place.directories, file);
  } catch (cause) {
    throw new CgroupError(`making cgroup ${place.group}`, { cause });
  }
}

async function writeLimit(
  directories: readonly CgroupDirectory[],
  { controller, file, value, optional }: CgroupFile,
): Promise<void> {
  const directory = directories.find((d) => d.controller === '' || d.controller === controller);
  if (directory === undefined) return;
  try {
    // 'r+': a name that the kernel doesn't have is ENOENT, not an attempt to create it.
    await writeFile(join(directory.path, file), value, { flag: 'r+' });
  } catch (cause) {
    if (optional && codeOf(cause) === 'ENOENT') return;
    throw new CgroupError(`writing ${value} to ${file}`, { cause });
  }
}

async function oomKills(directories: readonly CgroupDirectory[]): Promise<number> {
  const memory = directories.find((d) => d.controller === '' || d.controller === 'memory');
  if (memory === undefined) return 0;
  const file = memory.controller === '' ? 'memory.events' : 'memory.oom_control';
  const text = await readFile(join(memory.path, file), 'utf8').catch(unlessGone(''));
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}

const REMOVE_DEADLINE_MS = 10_000;
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 50;

/** A killed process leaves its group when it is reaped, so removal is tried until the deadline. */
async function remove(directories: readonly CgroupDirectory[], clock: Clock): Promise<void> {
  const deadline = clock.monotonic() + REMOVE_DEADLINE_MS;
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    for (const { path } of directories) await killBelow(path);
    const busy = await removeAll(directories);
    if (busy === undefined) return;
    if (clock.monotonic() > deadline)
      throw new CgroupError(`removing cgroup ${busy.path}`, { cause: busy.cause });
    await sleep(clock, pauseMs);
    pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
  }
}

/** The first that could not be removed, if any. */
async function removeAll(
  directories: readonly CgroupDirectory[],
): Promise<{ path: string; cause: unknown } | undefined> {
  for (const { path } of directories) {
    try {
      await removeTree(path);
    } catch (cause) {
      return { path, cause };
    }
  }
  return undefined;
}

async function removeTree(path: string): Promise<void> {
  for (const name of await subgroups(path)) await removeTree(join(path, name));
  await rmdir(path).catch(unlessGone(undefined));
}

async function killBelow(path: string): Promise<void> {
  for (const name of await subgroups(path)) await killBelow(join(path, name));
  const killed = await writeFile(join(path, 'cgroup.kill'), '1', { flag: 'r+' }).then(
    () => true,
    () => false,
  );
  if (killed) return;
  const text = await readFile(join(path, 'cgroup.procs'), 'utf8').catch(unlessGone(''));
  for (const pid of text.split('\n').filter(Boolean).map(Number)) killProcess(pid);
}

/** 0 is what a process of another pid namespace is shown as: never signal our own group for it. */
function killProcess(pid: number): void {
  if (pid <= 1) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}

async function subgroups(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(unlessGone([]));
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

function unlessGone<T>(instead: T): (error: unknown) => T {
  return (error) => {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENODEV') return instead;
    throw error;
  };
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
