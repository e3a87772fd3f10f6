import type { CgroupUsage } from '../kernel/cgroup-usage.ts';
import type { Cgroups } from '../kernel/cgroups.ts';
import type { ContainerId } from '../ports.ts';
import { parseContainerKey, podCgroupPrefix } from './pod-paths.ts';

export interface ContainerUsage extends CgroupUsage {
  readonly id: ContainerId;
}

/** Every container that has a control group, ended ones that were not removed too. */
export async function containerUsages(cgroups: Cgroups): Promise<readonly ContainerUsage[]> {
  const usages: ContainerUsage[] = [];
  for (const pod of await cgroups.list()) {
    if (!pod.startsWith(podCgroupPrefix)) continue;
    for (const key of await cgroups.list(pod)) {
      const id = parseContainerKey(pod.slice(podCgroupPrefix.length), key);
      const usage = id && (await cgroups.usage(`${pod}/${key}`));
      if (usage) usages.push({ ...usage, id });
    }
  }
  return usages;
}
