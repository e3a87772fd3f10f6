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
  const parents = new Map<number, number>();
  for (const name of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')')).split(' ')[2]));
  }
  const isBelow = (of: number | undefined): boolean =>
    of === pid || (of !== undefined && of > 1 && isBelow(parents.get(of)));
  const found = await Promise.all([...parents.keys()].filter(isBelow).map(memoryOf));
  return found.filter((one) => one !== undefined);
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
