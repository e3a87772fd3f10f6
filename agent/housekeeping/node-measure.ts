import { readFile, statfs } from 'node:fs/promises';
import { cpus } from 'node:os';

/** What the machine has, and what of it is taken. */
export interface NodeMeasure {
  /** Of all processors, since the machine's start. */
  readonly cpuNs: number;
  readonly memory: { readonly totalBytes: number; readonly availableBytes: number };
  readonly disk: {
    /** Of what can be used by others than root, as df shows it. */
    readonly freePercent: number;
    readonly freeInodesPercent: number;
  };
  readonly freePidsPercent: number;
}

/** `dataDir`: on the file system that counts. */
export async function measureNode(dataDir: string): Promise<NodeMeasure> {
  const read = (name: string) => readFile(`/proc/${name}`, 'utf8');
  const [disk, memory, load, ...limits] = await Promise.all([
    statfs(dataDir),
    read('meminfo'),
    read('loadavg'),
    read('sys/kernel/pid_max'),
    read('sys/kernel/threads-max'),
  ]);
  const kibibytes = (name: string) =>
    Number(new RegExp(`^${name}: *(\\d+)`, 'm').exec(memory)?.[1]);
  const threads = Number(/\/(\d+) /.exec(load)?.[1]);
  const maxThreads = Math.min(...limits.map(Number));
  return {
    cpuNs: cpus().reduce((sum, { times: t }) => sum + t.user + t.nice + t.sys + t.irq, 0) * 1e6,
    memory: {
      totalBytes: kibibytes('MemTotal') * 1024,
      availableBytes: kibibytes('MemAvailable') * 1024,
    },
    disk: {
      freePercent: percent(disk.bavail, disk.bavail + disk.blocks - disk.bfree),
      // Some file systems have no fixed number of them, and say 0.
      freeInodesPercent: percent(disk.ffree, disk.files),
    },
    freePidsPercent: percent(maxThreads - threads, maxThreads),
  };
}

const percent = (part: number, whole: number) => (whole === 0 ? 100 : (100 * part) / whole);
