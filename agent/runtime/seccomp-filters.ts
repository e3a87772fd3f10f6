import { type CompiledSeccomp, compileSeccomp, type SeccompSpec } from '../kernel/seccomp.ts';
import type { LinuxSeccomp } from '../oci/oci-spec.ts';
import { seccompProfile } from './seccomp-profile.ts';

/** Compiled filters: each made once, at its first use. Throw SeccompError. */
export interface SeccompFilters {
  of(spec: SeccompSpec): CompiledSeccomp;
  /** RuntimeDefault, for a process with these capabilities. */
  profile(capabilities: readonly string[]): LinuxSeccomp;
}

export function seccompFilters(processor: NodeJS.Architecture): SeccompFilters {
  const compiled = new Map<string, CompiledSeccomp>();
  const of = (spec: SeccompSpec): CompiledSeccomp => {
    const key = JSON.stringify(spec, (_, value: unknown) =>
      typeof value === 'bigint' ? `${value}n` : value,
    );
    const filter = compiled.get(key) ?? compileSeccomp(spec);
    compiled.set(key, filter);
    return filter;
  };
  return { of, profile: (capabilities) => seccompProfile(capabilities, processor) };
}
