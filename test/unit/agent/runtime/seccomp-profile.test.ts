import { describe, expect, it } from 'vitest';
import { checkOciSpec } from '../../../../agent/oci/oci-spec.ts';
import { seccompProfile } from '../../../../agent/runtime/seccomp-profile.ts';

/** What becomes of a call, whatever its arguments. */
const outcomes = (capabilities: readonly string[], call: string) =>
  (seccompProfile(capabilities, 'x64').syscalls ?? [])
    .filter(({ names, args }) => names.includes(call) && args === undefined)
    .map(({ action, errnoRet }) => errnoRet ?? action);

describe('the default profile', () => {
  it('says one thing about each call', () => {
    for (const capabilities of [[], ['SYS_ADMIN', 'BPF', 'SYSLOG', 'PERFMON']]) {
      const rules = seccompProfile(capabilities, 'x64').syscalls ?? [];
      const plain = rules.filter(({ args }) => args === undefined);
      const names = plain.flatMap((rule) => rule.names);
      expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
    }
  });

  it('refuses what needs a capability that isn’t there, and allows it with it', () => {
    expect(outcomes([], 'mount')).toEqual([1]);
    expect(outcomes(['SYS_ADMIN'], 'mount')).toEqual(['SCMP_ACT_ALLOW']);
    expect(outcomes(['CAP_BPF'], 'bpf')).toEqual(['SCMP_ACT_ALLOW']);
  });

  it('makes the C library fall back from what a filter can’t see through', () => {
    expect(outcomes([], 'clone3')).toEqual([38]);
    expect(seccompProfile([], 'x64').defaultErrnoRet).toBe(38);
  });

  it('is what a config.json may hold', () => {
    const seccomp = seccompProfile([], 'arm64');
    expect(checkOciSpec({ ociVersion: '1.3.0', linux: { seccomp } }).linux?.seccomp).toEqual(
      seccomp,
    );
  });
});
