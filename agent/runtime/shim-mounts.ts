import { readFile } from 'node:fs/promises';
import { parseMountinfo } from '../kernel/mountinfo.ts';
import type { Shim } from '../kernel/shim-client.ts';
import { planTmpfs } from './root-mount.ts';

/** Mounts memory in the shim's mount namespace, but what is there already. */
export async function ensureTmpfs(shim: Shim, wanted: readonly Tmpfs[]): Promise<void> {
  const mounts = parseMountinfo(await readFile(`/proc/${shim.pid}/mountinfo`, 'utf8'));
  const missing = wanted.filter(({ target }) => !mounts.some(({ mount }) => mount === target));
  if (missing.length > 0) await shim.run(missing.flatMap(planTmpfs));
}

type Tmpfs = Parameters<typeof planTmpfs>[0];

/** How the agent reaches a file there. Nothing on the way may be a container's to change. */
export const inShim = ({ pid }: Shim, path: string): string => `/proc/${pid}/root${path}`;
