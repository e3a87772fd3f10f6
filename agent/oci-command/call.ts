import type { Clock } from '../../base/clock.ts';
import type { Front } from '../kernel/front-client.ts';
import type { OciPlace } from '../oci/oci-place.ts';
import type { LinuxSeccomp } from '../oci/oci-spec.ts';
import type { Options, VerbName } from './options.ts';

/** What stands behind a verb. */
export interface Given<V extends VerbName> {
  readonly options: Options<V>;
  readonly id: string;
  readonly words: readonly string[];
}

/** One call of the command line. */
export interface Call {
  readonly front: Front;
  /** Where containers are remembered. */
  readonly root: string;
  /** Whether containers get cgroups: `--cgroup-manager`. */
  readonly cgroups: 'cgroupfs' | 'disabled';
  /** Goes to the log, or to standard error. */
  readonly warn: (message: string) => void;
  readonly clock: Clock;
  /** What this process, and so each container, can have at most, as bits. */
  readonly capabilities: bigint;
  /** Security modules that are active. */
  readonly modules: readonly string[];
  readonly compile: (filter: LinuxSeccomp) => OciPlace['filter'];
}
