import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { readIfPresent } from '../base/durable-file.ts';
import { removeCgroupsOf } from './cgroup-parent.ts';

const runDir = '/run';
const namePattern = /^orc-dev-(\d+)-(\d+)$/;

/** This process's directory for sockets; its name says whose it is: pid and start time. */
export async function makeRunDir(): Promise<{ readonly name: string; readonly path: string }> {
  const name = await ownName();
  const path = join(runDir, name);
  await mkdir(path, { mode: 0o700 });
  return { name, path };
}

/** The state of a cluster that nobody wants to keep. */
export async function makeDataDir(): Promise<string> {
  const path = join(tmpdir(), await ownName());
  await mkdir(path, { mode: 0o700 });
  return path;
}

const ownName = async () => `orc-dev-${process.pid}-${await startTimeOf(process.pid)}`;

/** Removes what an `orc dev` that was killed could not: its directories and its empty cgroups. */
export async function sweepLeftovers(clock: Clock): Promise<void> {
  const names = [...(await readdir(runDir)), ...(await readdir(tmpdir()))];
  for (const name of new Set(names)) {
    const [, pid, startTime] = namePattern.exec(name) ?? [];
    if (pid === undefined || (await startTimeOf(Number(pid))) === startTime) continue;
    await removeCgroupsOf(name, clock);
    for (const dir of [runDir, tmpdir()])
      await rm(join(dir, name), { recursive: true, force: true });
  }
}

/** Field 22 of /proc/PID/stat, in clock ticks since boot; undefined: no such process. */
async function startTimeOf(pid: number): Promise<string | undefined> {
  const stat = await readIfPresent(readFile(`/proc/${pid}/stat`, 'utf8'));
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
