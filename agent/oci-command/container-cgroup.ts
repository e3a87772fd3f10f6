import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ifPresent } from '../../base/durable-file.ts';
import { type CgroupDirectory, findCgroupTrees } from '../kernel/cgroup-trees.ts';
import { openCgroups } from '../kernel/cgroups.ts';
import type { OciSpec } from '../oci/oci-spec.ts';
import { planCgroup } from '../oci/plan-cgroup.ts';
import { type Call, CommandError } from './call.ts';

type Directories = readonly CgroupDirectory[];

/** All that a configuration can set limits for. */
const controllers =
  `cpuset blkio io hugetlb rdma misc perf_event net_cls net_prio freezer devices`.split(' ');

/** None for who may make none, and has not asked for limits. */
export async function makeGroup(call: Call, of: { readonly id: string; readonly spec: OciSpec }) {
  if (call.cgroups === 'disabled') return [];
  const { devices: _, ...limits } = of.spec.linux?.resources ?? {};
  const isNeeded = call.power === 'root' || Object.keys(limits).length > 0;
  const path = of.spec.linux?.cgroupsPath || (call.power === 'root' ? `/${of.id}` : of.id);
  if (path.includes(':'))
    throw new CommandError(`cgroupsPath "${path}" is one of systemd’s: use --systemd-cgroup`);
  return makeGroupAt(call, of.spec, path).catch((error: unknown) => {
    if (isNeeded) throw error;
    return [];
  });
}

/** The group of linux.cgroupsPath, which must be a new one: "/…" from the hierarchies' roots, else below the caller's own. */
const makeGroupAt = async (call: Call, spec: OciSpec, path: string): Promise<Directories> =>
  ensureGroup(call, { spec, path, isNew: true });

function mustBeUnused(directories: Directories): void {
  if (isFrozen(directories)) throw new CommandError("container's cgroup unexpectedly frozen");
  const already = processesIn(directories);
  if (already.length > 0)
    throw new CommandError(`container's cgroup is not empty: ${already.length} process(es) found`);
}

/** With its limits. */
export async function ensureGroup(
  call: Call,
  of: { readonly spec: OciSpec; readonly path: string; readonly isNew: boolean },
): Promise<Directories> {
  const { spec, path, isNew } = of;
  const trees = await findCgroupTrees(controllers, call.front.called.pid);
  const cgroups = await openCgroups({ parent: dirname(path), trees, clock: call.clock });
  const group = basename(path);
  const plan = planCgroup(spec.linux?.resources ?? {}, cgroups.version);
  const directories = cgroups.directories(group);
  if (isNew) mustBeUnused(directories);
  const wasThere = directories.some((each) => existsSync(each.path));
  await cgroups.ensure(group, plan).catch(async (error: unknown) => {
    if (!wasThere) await cgroups.remove(group);
    throw error;
  });
  return directories;
}

export const versionOf = (directories: Directories): 1 | 2 =>
  directories.some(({ controller }) => controller === '') ? 2 : 1;

/** Where a process begins: born in the unified group, or attached by what it writes first. */
export function birthplace(directories: Directories) {
  const cgroup2Dir = directories.find(({ controller }) => controller === '')?.path;
  const attach = cgroup2Dir ? [] : directories.map(({ path }) => join(path, 'cgroup.procs'));
  return { cgroup2Dir, attach };
}

/** Every process in the group and below it. */
export function processesIn(directories: Directories): readonly number[] {
  return [...new Set(directories.flatMap(({ path }) => processesBelow(path)))];
}

function processesBelow(path: string): readonly number[] {
  const text = ifPresent(() => readFileSync(join(path, 'cgroup.procs'), 'utf8')) ?? '';
  const entries = ifPresent(() => readdirSync(path, { withFileTypes: true })) ?? [];
  const groups = entries.filter((entry) => entry.isDirectory());
  const below = groups.flatMap(({ name }) => processesBelow(join(path, name)));
  return [...text.split('\n').filter(Boolean).map(Number), ...below];
}

export function isFrozen(directories: Directories): boolean {
  const unified = directories.find(({ controller }) => /^(unified)?$/.test(controller));
  const freezer = directories.find(({ controller }) => controller === 'freezer');
  const [at, file, word] = unified
    ? [unified.path, 'cgroup.events', 'frozen 1']
    : [freezer?.path ?? '/nowhere', 'freezer.state', 'FROZEN'];
  return (ifPresent(() => readFileSync(join(at, file), 'utf8')) ?? '').includes(word);
}
