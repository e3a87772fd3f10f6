import { actions, comparisons, compileFilter, type SeccompFilter } from '../../native/seccomp.ts';

/** `linux.seccomp` of the OCI runtime specification. */
export interface SeccompSpec extends SeccompFilter {
  readonly flags?: readonly string[] | undefined;
  readonly listenerPath?: string | undefined;
}

/** What a specification may say. */
export const seccompWords = {
  actions: Object.keys(actions) as (keyof typeof actions)[],
  comparisons,
} as const;

/** What seccomp(2) takes. */
export interface CompiledSeccomp {
  /** struct sock_filter[], for 64 and 32 bit programs. */
  readonly program: Uint8Array;
  readonly flags: number;
}

class SeccompError extends Error {
  override readonly name = 'SeccompError';
}

/** Takes about 20 ms: keep the result. Throws SeccompError. */
export function compileSeccomp(spec: SeccompSpec): CompiledSeccomp {
  try {
    return { program: compileFilter(spec), flags: flagsOf(spec) };
  } catch (cause) {
    throw new SeccompError('compiling the seccomp filter', { cause });
  }
}

/** linux/seccomp.h */
const flagBits: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32,
};
const NEW_LISTENER = 8;

function flagsOf({ defaultAction, syscalls = [], flags = [], listenerPath }: SeccompSpec): number {
  const notifying = syscalls.filter(({ action }) => action === 'SCMP_ACT_NOTIFY');
  // The process writes to tell that there is a descriptor, which nobody has until then.
  if (defaultAction === 'SCMP_ACT_NOTIFY' || notifying.some(({ names }) => names.includes('write')))
    throw new Error('SCMP_ACT_NOTIFY for write can be answered by nobody');
  return flags.reduce(
    (bits, flag) => bits | flagBit(flag),
    notifying.length > 0 || listenerPath ? NEW_LISTENER : 0,
  );
}

function flagBit(flag: string): number {
  const bit = flagBits[flag];
  if (bit === undefined) throw new Error(`seccomp(2) doesn't know the flag ${flag}`);
  return bit;
}
