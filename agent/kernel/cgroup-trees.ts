import { readFile } from 'node:fs/promises';
import { posix } from 'node:path';
import { parseMountinfo } from './mountinfo.ts';

export class CgroupError extends Error {
  override readonly name = 'CgroupError';
}

/** A mounted hierarchy and this process's place in it. */
export interface CgroupTree {
  /** "": the unified one; "unified": the same beside those of version 1. */
  readonly controller: string;
  readonly mount: string;
  /** Which part of the hierarchy the mount shows: field 4 of mountinfo. */
  readonly root: string;
  /** As /proc/self/cgroup says. */
  readonly own: string;
  /** On version 2: the controllers that groups are to have. */
  readonly handsDown: readonly string[];
}

/** Where a group is in a tree. */
export interface CgroupDirectory extends Pick<CgroupTree, 'controller'> {
  readonly path: string;
}

export type CgroupTrees = Readonly<{ version: 1 | 2; trees: readonly CgroupTree[] }>;

/**
 * The trees that have cpu, memory and pids: the unified one if it has all three, else one of version 1 for each, with
 * cpuacct, which tells what is used (and may be the same as cpu's), and devices. On a hybrid host the unified tree has
 * none of them; it still has a leaf for each group, to freeze and to kill it by, for which others need the freezer.
 * `further`: controllers that are taken too, where the host has them; `of`: whose place is meant by the own one. Throws
 * CgroupError naming what is missing.
 */
export async function findCgroupTrees(
  further: readonly string[] = [],
  of: number | 'self' = 'self',
): Promise<CgroupTrees> {
  const [mountinfo, own] = await Promise.all([
    readFile('/proc/self/mountinfo', 'utf8'),
    readFile(`/proc/${of}/cgroup`, 'utf8'),
  ]);
  const mounts = parseMountinfo(mountinfo);
  const unified = mounts.find((mount) => mount.fstype === 'cgroup2');
  const offered = unified ? await controllersOf(unified.mount) : [];
  const place = unified && { ...unified, own: ownPlace(own, '') };
  if (place && needed.every((name) => offered.includes(name))) {
    const handsDown = [...needed, ...further].filter((name) => offered.includes(name));
    return { version: 2, trees: [{ controller: '', ...place, handsDown }] };
  }
  const wanted = [...needed, ...version1, ...(place ? [] : ['freezer']), ...further];
  const trees = [...new Set(wanted)].flatMap((controller) => {
    const mount = mounts.find((m) => m.fstype === 'cgroup' && m.options.includes(controller));
    if (mount) return [{ controller, ...mount, own: ownPlace(own, controller), handsDown: [] }];
    if ([...needed, 'cpuacct'].includes(controller))
      throw new CgroupError(`the kernel offers no "${controller}" cgroup controller`);
    return [];
  });
  const leaf = place ? [{ controller: 'unified', ...place, handsDown: [] }] : [];
  return { version: 1, trees: [...trees, ...leaf] };
}

/** Where a controller's files are. */
export const groupOf = (directories: readonly CgroupDirectory[], controller: string) =>
  directories.find((each) => each.controller === '' || each.controller === controller);

/** Where a parent is below the tree's mount. Throws CgroupError for a relative one that can't be placed. */
export function positionIn(tree: CgroupTree, parent: string): string {
  if (parent.startsWith('/')) return posix.normalize(parent);
  const own = posix.relative(tree.root, tree.own);
  if (own.startsWith('..') || tree.root.startsWith('/..'))
    throw new CgroupError(
      `this process's own cgroup ${tree.own} can't be seen below ${tree.mount}: name the parent cgroup`,
    );
  return posix.join('/', own, parent);
}

const needed = ['cpu', 'memory', 'pids'] as const;
const version1 = ['cpuacct', 'devices'] as const;

async function controllersOf(mount: string): Promise<readonly string[]> {
  const text = await readFile(posix.join(mount, 'cgroup.controllers'), 'utf8');
  return text.trim().split(' ');
}

/** "4:memory:/a" and, for the unified tree, "0::/a". */
function ownPlace(text: string, controller: string): string {
  const line = text
    .split('\n')
    .map((entry) => entry.split(':'))
    .find(([, controllers = '']) => controllers.split(',').includes(controller));
  return line?.slice(2).join(':') || '/';
}
