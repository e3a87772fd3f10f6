import { resolve } from 'node:path';
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

/** The caller's path; its descriptors, which are written /dev/fd/N, are where the front has put them: native/task.h. */
export function callersPath({ front: { called } }: Pick<Call, 'front'>, path: string): string {
  const fd = /^(?:\/dev\/fd|\/proc\/self\/fd)\/(\d+)$/.exec(path)?.[1];
  if (path !== '-' && fd === undefined) return resolve(called.directory, path);
  const own = Number(fd ?? 0);
  return `/proc/${called.pid}/fd/${own < 3 ? own : HANDED_FD + own - 3}`;
}

const HANDED_FD = 512;

/** One call of the command line. */
export interface Call {
  readonly front: Front;
  /** Where containers are remembered. */
  readonly root: string;
  /** Whether containers get cgroups: `--cgroup-manager`. */
  readonly cgroups: 'cgroupfs' | 'systemd' | 'disabled';
  /** Goes to the log, or to standard error. */
  readonly warn: (message: string) => void;
  /** Not root at all, or not the host's. */
  readonly power: 'root' | 'root of a user namespace' | 'user';
  readonly clock: Clock;
  /** What this process, and so each container, can have at most, as bits. */
  readonly capabilities: bigint;
  /** Security modules that are active. */
  readonly modules: readonly string[];
  readonly compile: (filter: LinuxSeccomp) => OciPlace['filter'];
}
