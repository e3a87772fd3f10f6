import { allCapabilities, capabilityBit } from '../oci/capability.ts';
import type { ContainerSecurity } from '../ports.ts';
import { configError } from './container-error.ts';

/** What docker and containerd give. */
const defaults = `AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW
  SETFCAP SETGID SETPCAP SETUID SYS_CHROOT`.split(/\s+/);

/**
 * A container's capabilities in the order of their numbers: first what is added, then what is dropped is taken away;
 * drop ALL + add X leaves X, as in containerd. In the host's user namespace only `available` ones can be given; in a
 * namespace of its own the kernel gives every one, over that namespace.
 *
 * MKNOD is no default in the host's user namespace: any disk of the host could be read with it. In a user namespace it
 * has no power over devices and is kept for programs that look for it.
 */
export function planCapabilities(
  security: ContainerSecurity,
  of: { readonly ownUserNamespace: boolean; readonly available: bigint },
): readonly string[] {
  const kept = new Set(wantedCapabilities(security, of.ownUserNamespace));
  const possible = (name: string) =>
    of.ownUserNamespace || (of.available & capabilityBit(name)) !== 0n;
  return allCapabilities.filter((name) => kept.has(name) && possible(name));
}

function wantedCapabilities(security: ContainerSecurity, ownUserNamespace: boolean) {
  const add = security.capabilitiesAdd.map(normalize);
  const drop = security.capabilitiesDrop.map(normalize);
  refuseUnknown([...add, ...drop]);
  if (security.privileged) return allCapabilities;
  const base = defaults.filter((name) => ownUserNamespace || name !== 'MKNOD');
  const before = drop.includes('ALL') ? [] : add.includes('ALL') ? allCapabilities : base;
  return [...before, ...add].filter((name) => !drop.includes(name));
}

function normalize(name: string): string {
  return name.toUpperCase().replace(/^CAP_/, '');
}

function refuseUnknown(names: readonly string[]): void {
  const unknown = names.find((name) => name !== 'ALL' && !allCapabilities.includes(name));
  if (unknown !== undefined) throw configError(`unknown capability "${unknown}"`);
}
