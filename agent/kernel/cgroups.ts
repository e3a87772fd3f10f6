import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { attachDeviceProgram } from '../../native/bpf.ts';
import * as cgroupEnd from './cgroup-end.ts';
import {
  type CgroupDirectory,
  CgroupError,
  type CgroupTree,
  type CgroupTrees,
  groupOf,
  positionIn,
} from './cgroup-trees.ts';
import { readCgroupUsage } from './cgroup-usage.ts';

export interface CgroupFile {
  /** Its first part names the controller. */
  readonly file: string;
  readonly value: string;
  /** Of config.json: what it is for. */
  readonly field: string;
  /** The kernel may have been built or booted without it. */
  readonly optional?: boolean;
  /** A file of the group with the number that the value must not be below. */
  readonly notBelow?: string;
}

export interface CgroupPlan {
  /** In the order in which they are to be written. */
  readonly files: readonly CgroupFile[];
  /** On version 2: struct bpf_insn[], in place of the one that was there. */
  readonly deviceFilter: Buffer | undefined;
}

/** A process is born in the one, and writes itself into the others, which costs milliseconds: the kernel waits for every processor. */
export interface Birthplace {
  readonly cgroup2Dir?: string | undefined;
  readonly cgroupProcs: readonly string[];
}

/** Groups of one agent, all below its parent. `group` is a path relative to that, as "pod123/web-0". */
export type Cgroups = Awaited<ReturnType<typeof openCgroups>>;

/**
 * `parent`: "/…" from the hierarchies' roots, else below this process's own place in each (which on version 2 must
 * be a group that may have both processes and children: only the root, so name one). It is made if it isn't there.
 */
export async function openCgroups(options: {
  readonly parent: string;
  readonly trees: CgroupTrees;
  readonly clock: Clock;
}) {
  const { clock, parent, trees } = options;
  const tops = trees.trees.map((tree) => ({
    tree,
    at: join(tree.mount, positionIn(tree, parent)),
  }));
  const directories = (group: string) =>
    tops.map(({ tree: { controller }, at }) => ({ controller, path: join(at, group) }));
  naming(parent, () => {
    for (const { tree, at } of tops) make(tree, { from: tree.mount, to: at, hasGroups: true });
  });
  return {
    version: trees.version,
    /** Where a group is: in the unified tree, or in one for each controller. */
    directories,
    /** Makes the group with these limits; what is there already is brought to them. Throws CgroupError. */
    ensure: async (group: string, plan?: CgroupPlan) =>
      naming(group, () => {
        for (const { tree, at } of tops)
          make(tree, { from: at, to: join(at, group), hasGroups: false });
        if (plan) applyCgroupPlan(plan, directories(group));
      }),
    /**
     * Makes a group without limits in those trees only by which its processes are killed and their memory is counted: of
     * version 1 each further one would cost a start half a millisecond and more. Throws CgroupError.
     */
    ensureMark: async (group: string): Promise<Birthplace> => {
      const all = directories(group);
      const marks = all.filter(
        (each) => each === cgroupEnd.freezable(all) || each === groupOf(all, 'memory'),
      );
      naming(group, () => {
        for (const { path } of marks) mkdirSync(path, { recursive: true });
      });
      const joined = marks.filter((each) => !cgroupEnd.isUnified(each));
      return {
        cgroup2Dir: marks.find(cgroupEnd.isUnified)?.path,
        cgroupProcs: joined.map(({ path }) => join(path, 'cgroup.procs')),
      };
    },
    /** How often the kernel has killed a process of the group for want of memory; 0 if there is no such group. */
    oomKills: (group: string) => oomKills(directories(group)),
    /** Kills every process in the group and below, waits for their end and removes it all. Throws CgroupError. */
    remove: (group: string) => cgroupEnd.removeGroup(directories(group), clock),
    /** undefined: no such group. */
    usage: (group: string) => readCgroupUsage(directories(group)),
    /** Names of the groups directly below this one, or below the parent. */
    list: (group = '') => cgroupEnd.subgroups(groupOf(directories(group), 'memory')?.path ?? ''),
  };
}

/** Synchronously: dozens of calls of microseconds, each of which would else wait for a thread. */
function naming(group: string, task: () => void): void {
  try {
    task();
  } catch (cause) {
    throw new CgroupError(`making cgroup ${group}`, { cause });
  }
}

/**
 * On version 2 every group on the way hands its controllers down (and one that has groups has no processes); on version 1
 * a new cpuset has no processors and no memory, and takes no process until it has.
 */
function make(
  { controller, handsDown }: CgroupTree,
  way: { readonly from: string; readonly to: string; readonly hasGroups: boolean },
): void {
  const { from, to, hasGroups } = way;
  mkdirSync(to, { recursive: true });
  const steps = relative(from, to).split('/').filter(Boolean);
  for (let depth = 0; depth <= steps.length; depth++) {
    const level = join(from, ...steps.slice(0, depth));
    if (handsDown.length > 0 && (hasGroups || level !== to)) delegate(level, handsDown);
    if (controller === 'cpuset' && level !== from) inheritCpuset(level);
  }
}

function delegate(directory: string, controllers: readonly string[]): void {
  const file = join(directory, 'cgroup.subtree_control');
  const enabled = readFileSync(file, 'utf8').trim().split(' ');
  const missing = controllers.filter((controller) => !enabled.includes(controller));
  if (missing.length > 0) writeFileSync(file, missing.map((name) => `+${name}`).join(' '));
}

function inheritCpuset(directory: string): void {
  for (const name of ['cpuset.cpus', 'cpuset.mems']) {
    const file = join(directory, name);
    if (readFileSync(file, 'utf8').trim() === '')
      writeFileSync(file, readFileSync(join(directory, '..', name)));
  }
}

type Directories = readonly CgroupDirectory[];

/**
 * One limit can stand in another's way until that is changed too (memory, and its sum with swap, lowered or raised; a
 * quota and its burst): as long as a round gets further there is one more.
 */
export function applyCgroupPlan({ files, deviceFilter }: CgroupPlan, directories: Directories) {
  for (let left = files; left.length > 0; ) {
    const errors = left.map((file) => refusalOf(directories, file));
    if (errors.every(Boolean)) throw errors[0];
    left = left.filter((_, at) => errors[at]);
  }
  const unified = directories.find(({ controller }) => controller === '');
  if (unified && deviceFilter) attachDeviceProgram(unified.path, deviceFilter);
}

/** Of a write; undefined: done. */
function refusalOf(directories: Directories, limit: CgroupFile): CgroupError | undefined {
  const { file, value, field, notBelow } = limit;
  const [name = ''] = file.split('.');
  const group = groupOf(directories, name);
  if (!group) return new CgroupError(`${field}: this host has no "${name}" cgroup controller`);
  try {
    const used = notBelow && readFileSync(join(group.path, notBelow), 'utf8').trim();
    if (used && Number(used) > Number(value)) throw new Error(`${used} is in use`);
    // 'r+': a name that the kernel doesn't have is ENOENT, not an attempt to create it.
    writeFileSync(join(group.path, file), value, { flag: 'r+' });
    return undefined;
  } catch (cause) {
    const absent = cgroupEnd.codeOf(cause) === 'ENOENT';
    if (absent && limit.optional) return undefined;
    const why = absent ? `this kernel has no ${file}` : `writing ${value} to ${file}`;
    return new CgroupError(`${field}: ${why}`, { cause });
  }
}

async function oomKills(directories: Directories): Promise<number> {
  const memory = groupOf(directories, 'memory');
  if (memory === undefined) return 0;
  const file = memory.controller === '' ? 'memory.events' : 'memory.oom_control';
  const text = await readFile(join(memory.path, file), 'utf8').catch(cgroupEnd.unlessGone(''));
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}
