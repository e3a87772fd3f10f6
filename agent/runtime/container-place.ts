import { join } from 'node:path';
import type { Op } from '../kernel/op.ts';
import { hostId } from '../oci/id-maps.ts';
import type { OciPlace } from '../oci/oci-place.ts';
import type { OciSpec } from '../oci/oci-spec.ts';
import type { ContainerId } from '../ports.ts';
import { podPaths } from './pod-paths.ts';
import type { RuntimeContext } from './sandboxes.ts';
import type { SeccompFilters } from './seccomp-filters.ts';

export interface ContainerContext extends RuntimeContext {
  readonly logLimits: LogLimits;
  readonly filters: SeccompFilters;
  /** The agent's own capabilities, as bits. */
  readonly capabilities: bigint;
  /** The machine's security modules. */
  readonly modules: readonly string[];
}

/** Of each attempt's log; the last two attempts' are kept. */
export type LogLimits = Readonly<{ maxBytes: number; maxFiles: number }>;

/** Where a container's processes run. On version 2 they are cloned into its group, else they attach to it. */
export function placeOf(
  { cgroups, filters, dirs, modules }: ContainerContext,
  of: { readonly id: ContainerId; readonly spec: OciSpec; readonly root?: readonly Op[] },
): { readonly place: OciPlace; readonly cgroup2Dir: string | undefined } {
  const paths = podPaths(dirs, of.id.uid);
  const directories = cgroups.directories(paths.containerCgroup(of.id));
  const unified = directories.find(({ controller }) => controller === '');
  const place = {
    bundle: paths.container(of.id),
    root: of.root,
    cgroups: directories,
    attach: unified ? [] : directories.map(({ path }) => join(path, 'cgroup.procs')),
    filter: of.spec.linux?.seccomp && filters.of(of.spec.linux.seccomp),
    modules,
    lockDevices: true,
  };
  return { place, cgroup2Dir: unified?.path };
}

/** Who has the process' pipes and its terminal, as the host counts. */
export const ownerOf = ({ linux, process }: OciSpec): number =>
  hostId(linux?.uidMappings, process?.user?.uid ?? 0, 'process.user.uid');
