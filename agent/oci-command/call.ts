import { readFile } from 'node:fs/promises';
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

/** A file of the caller's; "-" is its standard input, and what names a descriptor is read by the front itself. */
export async function readCallers({ front }: Pick<Call, 'front'>, path: string): Promise<string> {
  const [, own, name] =
    /^(?:\/dev\/fd\/|\/proc\/self\/fd\/)(\d{1,3})$|^(-|\/dev\/stdin)$/.exec(path) ?? [];
  const isDescriptor = own !== undefined || name !== undefined;
  return isDescriptor
    ? front.read(Number(own ?? 0))
    : readFile(resolve(front.called.directory, path), 'utf8');
}

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

/** What is said to whoever called: one line. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}
