import { readFile } from 'node:fs/promises';
import { processesBelow } from './resident-memory.ts';

/** Seconds so far of the process, all below it, and those of them that have ended. */
export async function processorSeconds(pid: number): Promise<number> {
  const each = (await processesBelow(pid)).map(async (one) => {
    const { own, children } = await timesOf(`/proc/${one}/stat`);
    return own + children;
  });
  return (await Promise.all(each)).reduce((sum, seconds) => sum + seconds, 0);
}

/** Of children that were waited for. */
export const endedChildrenSeconds = async (): Promise<number> =>
  (await timesOf('/proc/self/stat')).children;

/** proc_pid_stat(5); nothing of what has ended meanwhile. */
async function timesOf(path: string): Promise<{ own: number; children: number }> {
  const stat = await readFile(path, 'utf8').catch(() => '');
  const ticks = stat.slice(stat.lastIndexOf(')')).split(' ').slice(12, 16).map(Number);
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = ticks;
  return { own: (user + system) / 100, children: (childrenUser + childrenSystem) / 100 };
}

/** Seconds so far that the hypervisor has given to others, of all processors: proc_stat(5). */
export async function stolenSeconds(): Promise<number> {
  const [total = ''] = (await readFile('/proc/stat', 'utf8')).split('\n');
  return Number(total.split(/\s+/)[8]) / 100;
}
