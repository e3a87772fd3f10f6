import type { Op } from '../kernel/op.ts';

/** Where a container runs and what this machine can do: everything that a plan needs and can't look up itself. */
export interface OciPlace {
  /** Makes the root file system's mount; its last operation is set-root. */
  readonly root: readonly Op[];
  /** cgroup.procs files to attach to; none if the process is cloned into its cgroup. */
  readonly attach: readonly string[];
  /** The filter of linux.seccomp, compiled; undefined: unconfined. */
  readonly filter: { readonly program: Uint8Array; readonly flags: number } | undefined;
  /** Security modules that are active, as /sys/kernel/security/lsm names them. */
  readonly modules: readonly string[];
}
