import { describe, expect, it } from 'vitest';
import { compileSeccomp, type SeccompProfile } from '../../../../agent/kernel/seccomp.ts';
import { seccompProfile, seccompProfileKey } from '../../../../agent/runtime/seccomp-profile.ts';

const outcomes = (profile: SeccompProfile, syscall: string) =>
  profile.rules.filter(({ syscalls }) => syscalls.includes(syscall)).map(({ outcome }) => outcome);

describe('the default profile', () => {
  it('says one thing about each call', () => {
    for (const capabilities of [[], ['SYS_ADMIN', 'BPF', 'SYSLOG', 'PERFMON']] as const) {
      const profile = seccompProfile([...capabilities]);
      const plain = profile.rules.filter(({ when }) => when === undefined);
      const names = plain.flatMap(({ syscalls }) => syscalls);
      expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
    }
  });

  it('refuses what needs a capability that isn’t there, and allows it with it', () => {
    expect(outcomes(seccompProfile([]), 'mount')).toEqual([{ errno: 1 }]);
    expect(outcomes(seccompProfile(['SYS_ADMIN']), 'mount')).toEqual(['allow']);
    expect(outcomes(seccompProfile(['BPF']), 'bpf')).toEqual(['allow']);
  });

  it('makes the C library fall back from what a filter can’t see through', () => {
    expect(outcomes(seccompProfile([]), 'clone3')).toEqual([{ errno: 38 }]);
    expect(seccompProfile([]).defaultErrno).toBe(38);
  });

  it('differs only by its key', () => {
    expect(seccompProfileKey(['CHOWN', 'SYS_CHROOT', 'KILL'])).toBe('SYS_CHROOT');
  });

  it('compiles to a program of whole instructions', () => {
    const program = compileSeccomp(seccompProfile([]), 'x64');
    expect(program.length % 8).toBe(0);
    expect(program.length / 8).toBeLessThan(4096);
  });
});
