import { type CompiledSeccomp, compileSeccomp, type SeccompSpec } from '../kernel/seccomp.ts';
import { seccompProfile } from './seccomp-profile.ts';

/** Compiled filters: each made once, at its first use. Throw SeccompError. */
export interface SeccompFilters {
  of(spec: SeccompSpec): CompiledSeccomp;
  /** struct sock_filter[] of RuntimeDefault, for a process with these capabilities. */
  get(capabilities: readonly string[]): Uint8Array;
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
  return { of, get: (capabilities) => of(seccompProfile(capabilities, processor)).program };
}
