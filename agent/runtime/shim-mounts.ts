import { readFile } from 'node:fs/promises';
import type { Shim } from '../kernel/shim.ts';
import { planTmpfs } from './operations.ts';

/** Mounts memory in the shim's mount namespace, unless an earlier agent already has. */
export async function ensureTmpfs(
  shim: Shim,
  tmpfs: Parameters<typeof planTmpfs>[0],
): Promise<void> {
  const mountinfo = await readFile(`/proc/${shim.pid}/mountinfo`, 'utf8');
  if (!mountPoints(mountinfo).has(tmpfs.target)) await shim.run(planTmpfs(tmpfs));
}

/** Field 5 of each line, its octal escapes undone. proc_pid_mountinfo(5). */
function mountPoints(mountinfo: string): ReadonlySet<string> {
  const plain = (path: string) =>
    path.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
  return new Set(mountinfo.split('\n').map((line) => plain(line.split(' ')[4] ?? '')));
}
