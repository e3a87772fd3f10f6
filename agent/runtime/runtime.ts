import { arch } from 'node:process';
import type { Base } from '../../base/base.ts';
import type { CgroupUsage } from '../kernel/cgroup-usage.ts';
import type { Cgroups } from '../kernel/cgroups.ts';
import type { Launcher } from '../kernel/launcher.ts';
import { activeModules, ownCapabilities } from '../kernel/own-rights.ts';
import type { ContainerId } from '../ports.ts';
import type { LogLimits } from './container-place.ts';
import { containerPort, imagesInUse } from './containers.ts';
import { mountTargets, parseContainerKey, podCgroupPrefix } from './pod-paths.ts';
import { openPodShims } from './pod-shims.ts';
import { makeMountTargets } from './root-mount.ts';
import { sandboxPort } from './sandboxes.ts';
import { seccompFilters } from './seccomp-filters.ts';

export interface RuntimeOptions extends Pick<Base, 'clock' | 'log'> {
  readonly dataDir: string;
  readonly runDir: string;
  /** Holds a directory NAMESPACE_NAME_UID for each pod, with which the sandbox's removal ends. */
  readonly logDir: string;
  readonly logLimits: LogLimits;
  /** Programs of other OCI runtimes by their handlers, as RuntimeClasses name them. */
  readonly runtimes: Readonly<Record<string, string>>;
  readonly cgroups: Cgroups;
  readonly launcher: Launcher;
}

export type Runtime = Awaited<ReturnType<typeof openRuntime>>;

/** Our own OCI runtime behind the sandbox and container ports. Finds again what an earlier agent has started. */
export async function openRuntime(options: RuntimeOptions) {
  const { dataDir, runDir, logDir, logLimits, runtimes, ...tools } = options;
  const { cgroups } = tools;
  const dirs = { dataDir, runDir, logDir };
  makeMountTargets(mountTargets(dirs));
  const shims = openPodShims(dirs);
  const context = { dirs, shims, runtimes, ...tools };
  const capabilities = ownCapabilities();
  return {
    sandboxes: sandboxPort(context),
    containers: containerPort({
      ...context,
      filters: seccompFilters(arch),
      capabilities,
      modules: activeModules(),
      logLimits,
    }),
    /** What containers use just now. */
    usages: () => containerUsages(cgroups),
    /** Ids of the images that containers stand on. */
    imagesInUse: () => imagesInUse(dirs),
    /** Lets go of the shims; what runs goes on. */
    close: () => shims.close(),
  };
}

interface ContainerUsage extends CgroupUsage {
  readonly id: ContainerId;
}

/** Every container that has a control group, ended ones that were not removed too. */
async function containerUsages(cgroups: Cgroups): Promise<readonly ContainerUsage[]> {
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
