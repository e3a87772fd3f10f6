import { serialize } from 'node:v8';
import { type CompiledSeccomp, compileSeccomp, type SeccompSpec } from '../kernel/seccomp.ts';
import type { LinuxSeccomp } from '../oci/oci-spec.ts';
import { seccompProfile } from './seccomp-profile.ts';

/** Profiles and their compiled filters: each made once, at its first use. Throw SeccompError. */
export type SeccompFilters = ReturnType<typeof seccompFilters>;

export function seccompFilters(processor: NodeJS.Architecture) {
  const profiles = new Map<string, LinuxSeccomp>();
  const filters = new Map<string, CompiledSeccomp>();
  /** To know one again that was read from a record takes as long as all the rest of a start's plan. */
  const known = new WeakMap<SeccompSpec, CompiledSeccomp>();
  return {
    of(spec: SeccompSpec) {
      const compile = () =>
        remember(filters, serialize(spec).toString('latin1'), () => compileSeccomp(spec));
      return remember(known, spec, compile);
    },
    /** RuntimeDefault, for a process with these capabilities. */
    profile: (capabilities: readonly string[]) =>
      remember(profiles, capabilities.join(), () => seccompProfile(capabilities, processor)),
  };
}

function remember<K, V>(
  found: { get(key: K): V | undefined; set(key: K, value: V): unknown },
  key: K,
  make: () => V,
): V {
  const value = found.get(key) ?? make();
  found.set(key, value);
  return value;
}
