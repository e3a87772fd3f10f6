import { compileSeccomp } from '../kernel/seccomp.ts';
import type { Capability } from './oci-config.ts';
import { seccompProfile, seccompProfileKey } from './seccomp-profile.ts';

/** Compiled default filters: each made once, at its first use. */
export interface SeccompFilters {
  /** struct sock_filter[] for a process with these capabilities. Throws SeccompError. */
  get(capabilities: readonly Capability[]): Uint8Array;
}

export function seccompFilters(processor: NodeJS.Architecture): SeccompFilters {
  const compiled = new Map<string, Uint8Array>();
  return {
    get(capabilities) {
      const key = seccompProfileKey(capabilities);
      const program = compiled.get(key) ?? compileSeccomp(seccompProfile(capabilities), processor);
      compiled.set(key, program);
      return program;
    },
  };
}
