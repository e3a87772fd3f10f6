import { readdir, readFile } from 'node:fs/promises';

/** Of one process, in MB. */
export interface ResidentMemory {
  readonly command: string;
  readonly rss: number;
  /** What it shares with others counts in parts (proc_pid_smaps(5)). */
  readonly pss: number;
}

/** Of the process and all below it, in whatever namespaces they are. */
export async function memoryBelow(pid: number): Promise<readonly ResidentMemory[]> {
  const found = await Promise.all((await processesBelow(pid)).map(memoryOf));
  return found.filter((one) => one !== undefined);
}

/** It and all below it. */
export async function processesBelow(pid: number): Promise<readonly number[]> {
  const tasks = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = tasks.map((task) =>
    readFile(`/proc/${pid}/task/${task}/children`, 'utf8').catch(() => ''),
  );
  const children = (await Promise.all(lists)).join(' ').split(' ').filter(Boolean).map(Number);
  return [pid, ...(await Promise.all(children.map(processesBelow))).flat()];
}

async function memoryOf(pid: number): Promise<ResidentMemory | undefined> {
  try {
    const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
    const of = (field: string) => Number(new RegExp(`^${field}: *(\\d+)`, 'm').exec(rollup)?.[1]);
    return { command, rss: of('Rss') / 1024, pss: of('Pss') / 1024 };
  } catch {
    return undefined; // It has ended meanwhile.
  }
}
