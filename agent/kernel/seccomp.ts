import {
  compileFilter,
  SCMP_ACT_ALLOW,
  SCMP_ARCH_ARM,
  SCMP_ARCH_X86,
  SCMP_CMP_EQ,
  SCMP_CMP_MASKED_EQ,
  SCMP_CMP_NE,
  type SeccompArg,
  type SeccompRule,
  scmpActErrno,
} from '../../native/seccomp.ts';

/** Which system calls a process may make; everything not named fails with `defaultErrno`. */
export interface SeccompProfile {
  readonly defaultErrno: number;
  readonly rules: readonly {
    readonly syscalls: readonly string[];
    readonly outcome: 'allow' | { readonly errno: number };
    /** All of them must hold. Several rules for one call: any of them. */
    readonly when?: readonly SeccompCondition[];
  }[];
}

type SeccompCondition =
  | { readonly arg: number; readonly is: bigint }
  | { readonly arg: number; readonly isNot: bigint }
  | { readonly arg: number; readonly mask: bigint; readonly gives: bigint };

class SeccompError extends Error {
  override readonly name = 'SeccompError';
}

/** Classic BPF for seccomp(2), for 64 and 32 bit programs. Takes about 20 ms: keep the result. Throws SeccompError. */
export function compileSeccomp(profile: SeccompProfile, processor: NodeJS.Architecture): Buffer {
  try {
    return compileFilter({
      defaultAction: scmpActErrno(profile.defaultErrno),
      architectures: [processor === 'arm64' ? SCMP_ARCH_ARM : SCMP_ARCH_X86],
      rules: profile.rules.flatMap(rulesOf),
    });
  } catch (cause) {
    throw new SeccompError('compiling the seccomp filter', { cause });
  }
}

function rulesOf(rule: SeccompProfile['rules'][number]): readonly SeccompRule[] {
  const action = rule.outcome === 'allow' ? SCMP_ACT_ALLOW : scmpActErrno(rule.outcome.errno);
  const args = (rule.when ?? []).map(toArg);
  return rule.syscalls.map((syscall) => ({ action, syscall, args }));
}

function toArg(condition: SeccompCondition): SeccompArg {
  const index = condition.arg;
  if ('is' in condition) return { index, compare: SCMP_CMP_EQ, value: condition.is, masked: 0n };
  if ('isNot' in condition)
    return { index, compare: SCMP_CMP_NE, value: condition.isNot, masked: 0n };
  return { index, compare: SCMP_CMP_MASKED_EQ, value: condition.mask, masked: condition.gives };
}
