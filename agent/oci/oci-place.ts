import type { Op } from '../kernel/op.ts';

/** A network device, with its addresses. */
interface HostLink {
  readonly index: number;
  readonly addresses: readonly { readonly address: string; readonly prefix: number }[];
}

/** Where a container runs and what this machine can do: everything that a plan needs and can't look up itself. */
export interface OciPlace {
  /** Relative paths of the configuration start here. */
  readonly bundle: string;
  /** Makes the root file system's mount and ends in set-root; undefined: root.path of the configuration, bound. */
  readonly root: readonly Op[] | undefined;
  /** The mount point that the root lies on, if that isn't "/". */
  readonly rootMount?: string;
  /** The container's own cgroup directories: "" for the unified one, else by controller. */
  readonly cgroups: readonly { readonly controller: string; readonly path: string }[];
  /** cgroup.procs files to attach to; none if the process is cloned into its cgroup. */
  readonly attach: readonly string[];
  /** linux.seccomp, compiled; `flags`: SECCOMP_FILTER_FLAG_…. undefined: unconfined. */
  readonly filter: { readonly program: Uint8Array; readonly flags?: number } | undefined;
  /** Security modules that are active, as /sys/kernel/security/lsm names them. */
  readonly modules: readonly string[];
  /** What linux.netDevices may name: devices of the network namespace where the process begins. */
  readonly links?: Readonly<Record<string, HostLink>>;
  /**
   * Without power over the host: by a user who is not root, or as root of a user namespace. Device nodes are the host's,
   * bound; groups stay as they are.
   */
  readonly powerless?: boolean;
  /** Engines' users expect root to have gone to the working directory, before the ids and rights change. */
  readonly entersAsRoot?: boolean;
  /** A directory: the first process, made, waits at a gate in it. undefined: it goes on. */
  readonly gate?: string;
  /** No device node but those of the configuration opens anything, whoever may make nodes in /dev. */
  readonly lockDevices: boolean;
}
