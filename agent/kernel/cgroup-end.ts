import { readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, sleep } from '../../base/clock.ts';
import { type CgroupDirectory, CgroupError } from './cgroup-trees.ts';

const REMOVE_DEADLINE_MS = 10_000;
const FREEZE_DEADLINE_MS = 2_000;
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 50;

type Directories = readonly CgroupDirectory[];

/**
 * Kills every process in the group and below, waits for their end and removes it all. A killed process leaves its group
 * when it is reaped, so removal is tried until the deadline. Throws CgroupError.
 */
export async function removeGroup(directories: Directories, clock: Clock): Promise<void> {
  let cause: unknown;
  const gone = await eventually(clock, REMOVE_DEADLINE_MS, async () => {
    cause = await whyStillThere(directories);
    if (cause) await killAll(directories, clock);
    return cause === undefined;
  });
  if (!gone) throw new CgroupError(`removing cgroup ${directories[0]?.path}`, { cause });
}

/** Stops every process in the group and below, or lets them go on. Throws CgroupError, if it doesn't come to that. */
export async function setFrozen(directories: Directories, frozen: boolean, clock: Clock) {
  if (await freezes(directories, frozen, clock)) return;
  if (frozen) await freezes(directories, false, clock);
  throw new CgroupError(
    `some process of ${directories[0]?.path} can't be ${frozen ? 'frozen' : 'thawed'}`,
  );
}

export async function subgroups(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(unlessGone([]));
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

export function unlessGone<T>(instead: T): (error: unknown) => T {
  return (error) => {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENODEV') return instead;
    throw error;
  };
}

export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? String(error.code) : undefined;

/** Removes what can be removed. Not on this thread: the kernel takes half a millisecond and more for each. */
async function whyStillThere(directories: Directories): Promise<unknown> {
  const tried = await Promise.allSettled(directories.map(({ path }) => removeTree(path)));
  return tried.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))[0];
}

/** What is not there any more is no error. */
async function removeTree(path: string): Promise<void> {
  const refused = await rmdir(path).catch((error: unknown) => error);
  if (refused === undefined || codeOf(refused) === 'ENOENT') return;
  const below = await subgroups(path);
  if (below.length === 0) throw refused;
  for (const name of below) await removeTree(join(path, name));
  await rmdir(path);
}

/** None can fork in between: the kernel kills a unified group as a whole, and others are frozen meanwhile. */
async function killAll(directories: Directories, clock: Clock): Promise<void> {
  const unified = directories.find(isUnified);
  if (unified) await change(unified.path, 'cgroup.kill', '1');
  else await freezes(directories, true, clock);
  try {
    for (const group of directories.filter((each) => !isUnified(each)))
      for (const path of await withGroupsBelow(group.path)) await killIn(path);
  } finally {
    // Each by itself: one below may have been frozen before, and what is frozen doesn't die.
    const freezer = directories.find(({ controller }) => controller === 'freezer');
    for (const path of freezer ? await withGroupsBelow(freezer.path) : [])
      await change(path, 'freezer.state', 'THAWED');
  }
}

async function withGroupsBelow(path: string): Promise<readonly string[]> {
  const below = (await subgroups(path)).map((name) => withGroupsBelow(join(path, name)));
  return [path, ...(await Promise.all(below)).flat()];
}

/** Where all of a group is, whatever other trees its processes are in: by this it is stopped and killed. */
export const freezable = (directories: Directories): CgroupDirectory | undefined =>
  directories.find(isUnified) ?? directories.find(({ controller }) => controller === 'freezer');

export const isUnified = ({ controller }: CgroupDirectory) =>
  controller === '' || controller === 'unified';

/** Said again and again, for those born meanwhile. false: it hasn't come to that. */
async function freezes(directories: Directories, frozen: boolean, clock: Clock): Promise<boolean> {
  const group = freezable(directories);
  if (!group) return false;
  const flag = frozen ? '1' : '0';
  const state = frozen ? 'FROZEN' : 'THAWED';
  const [file, value, from, wanted] = isUnified(group)
    ? ['cgroup.freeze', flag, 'cgroup.events', `frozen ${flag}`]
    : ['freezer.state', state, 'freezer.state', state];
  return eventually(clock, FREEZE_DEADLINE_MS, async () => {
    await change(group.path, file, value);
    const now = await readFile(join(group.path, from), 'utf8').catch(unlessGone(wanted));
    return now.includes(wanted);
  });
}

async function eventually(clock: Clock, ms: number, isSo: () => Promise<boolean>) {
  const deadline = clock.monotonic() + ms;
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    if (await isSo()) return true;
    if (clock.monotonic() > deadline) return false;
    await sleep(clock, pauseMs);
    pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
  }
}

const change = (path: string, file: string, value: string) =>
  writeFile(join(path, file), value, { flag: 'r+' }).catch(unlessGone(undefined));

/** 0 is what a process of another pid namespace is shown as: never signal our own group for it. */
async function killIn(path: string): Promise<void> {
  const text = await readFile(join(path, 'cgroup.procs'), 'utf8').catch(unlessGone(''));
  for (const pid of text
    .split('\n')
    .map(Number)
    .filter((each) => each > 1)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (codeOf(error) !== 'ESRCH') throw error;
    }
  }
}
