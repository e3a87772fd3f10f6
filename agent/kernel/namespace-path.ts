import { space } from '../../native/binding.ts';
import type { SandboxNamespace } from './op.ts';
import type { Shim } from './shim.ts';

/** A file that stands for one of the sandbox's namespaces as long as the shim lives: to be opened, for setns or rtnetlink. */
export function namespacePath(shim: Pick<Shim, 'pid'>, namespace: SandboxNamespace): string {
  return `/proc/${shim.pid}/fd/${space.FD + spaceNumber[namespace]}`;
}

/** `enum orc_space` */
export const spaceNumber = {
  user: space.USER,
  network: space.NETWORK,
  ipc: space.IPC,
  uts: space.UTS,
} as const satisfies Record<SandboxNamespace, number>;
