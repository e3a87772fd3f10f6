import { readFile } from 'node:fs/promises';
import { parseMountinfo } from '../kernel/mountinfo.ts';
import type { Shim } from '../kernel/shim.ts';
import { planTmpfs } from './root-mount.ts';

/** Mounts memory in the shim's mount namespace, unless an earlier agent already has. */
export async function ensureTmpfs(
  shim: Shim,
  tmpfs: Parameters<typeof planTmpfs>[0],
): Promise<void> {
  const mounts = parseMountinfo(await readFile(`/proc/${shim.pid}/mountinfo`, 'utf8'));
  if (!mounts.some(({ mount }) => mount === tmpfs.target)) await shim.run(planTmpfs(tmpfs));
}
