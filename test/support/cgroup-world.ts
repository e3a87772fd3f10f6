import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFrozen } from '../../agent/kernel/cgroup-end.ts';
import { type CgroupTrees, findCgroupTrees } from '../../agent/kernel/cgroup-trees.ts';
import { type CgroupStats, readCgroupStats } from '../../agent/kernel/cgroup-usage.ts';
import { type Cgroups, openCgroups } from '../../agent/kernel/cgroups.ts';
import type { OciResources } from '../../agent/oci/oci-spec.ts';
import { planCgroup } from '../../agent/oci/plan-cgroup.ts';
import { systemClock } from '../../base/clock.ts';

/** What an OCI container may be given limits of, beside cpu, memory and pids. */
const controllers = [
  'freezer',
  'cpuset',
  'blkio',
  'io',
  'hugetlb',
  'rdma',
  'net_cls',
  'net_prio',
] as const;

/** Groups of a test's own, in every tree that this host has, with processes that run in them. */
export interface CgroupWorld {
  readonly cgroups: Cgroups;
  ensure(group: string, resources: OciResources): Promise<void>;
  /** A shell in the group; what it has printed, once it has ended. */
  run(group: string, script: string): Promise<string>;
  start(group: string, script: string): ChildProcess;
  /** From outside; undefined for a tree that isn't there. */
  read(group: string, file: string): string | undefined;
  pids(group: string): readonly number[];
  freeze(group: string): Promise<void>;
  thaw(group: string): Promise<void>;
  stats(group: string): Promise<CgroupStats | undefined>;
  end(): Promise<void>;
}

export async function openCgroupWorld(
  choose: (trees: CgroupTrees) => CgroupTrees = (trees) => trees,
): Promise<CgroupWorld> {
  const trees = choose(await findCgroupTrees(controllers));
  const name = `orc-test-${process.pid}-${Math.trunc(performance.now() * 1000)}`;
  // On version 2 this process's own group has processes, so none below with limits.
  const parent = trees.version === 2 ? `/${name}` : name;
  const cgroups = await openCgroups({ parent, trees, clock: systemClock() });
  const start = (group: string, script: string) => {
    const enter = cgroups.directories(group).map(({ path }) => `echo 0 > ${path}/cgroup.procs`);
    return spawn('sh', ['-c', `set -e; ${enter.join('; ')}; set +e; ${script}`], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  };
  const read = (group: string, file: string) => {
    const [controller = ''] = file.split('.');
    const names = ['', controller === 'cgroup' ? 'pids' : controller];
    const found = cgroups.directories(group).find((each) => names.includes(each.controller));
    return found && readFileSync(join(found.path, file), 'utf8').trim();
  };
  return {
    cgroups,
    ensure: (group, resources) => cgroups.ensure(group, planCgroup(resources, cgroups.version)),
    start,
    read,
    freeze: (group) => setFrozen(cgroups.directories(group), true, systemClock()),
    thaw: (group) => setFrozen(cgroups.directories(group), false, systemClock()),
    stats: (group) => readCgroupStats(cgroups.directories(group)),
    async run(group, script) {
      const child = start(group, `exec 2>&1; ${script}`);
      let output = '';
      child.stdout?.on('data', (bytes: Buffer) => (output += bytes.toString()));
      await new Promise((resolve) => child.once('close', resolve));
      return output.trim();
    },
    pids: (group) => (read(group, 'cgroup.procs') ?? '').split('\n').filter(Boolean).map(Number),
    end: () => cgroups.remove(''),
  };
}
