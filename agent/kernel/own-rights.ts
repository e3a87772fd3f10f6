import { readFileSync } from 'node:fs';
import { ifPresent } from '../../base/durable-file.ts';

/** CapBnd of /proc/self/status: what this process can give at most. */
export function ownCapabilities(): bigint {
  const status = readFileSync('/proc/self/status', 'utf8');
  return BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
}

/** None where securityfs isn't mounted. */
export const activeModules = (): readonly string[] =>
  (ifPresent(() => readFileSync('/sys/kernel/security/lsm', 'utf8')) ?? '').split(',');

/** Over this host. */
export function ownPower(): 'root' | 'root of a user namespace' | 'user' {
  if (process.getuid?.() !== 0) return 'user';
  const map = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/);
  return map.join() === '0,0,4294967295' ? 'root' : 'root of a user namespace';
}
