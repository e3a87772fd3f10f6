/** The agent's image store in a process of its own: node bench/image-child.ts DIRECTORY REGISTRY. */
import { readdir, readFile } from 'node:fs/promises';
import { openImageStore } from '../agent/images/image-store.ts';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { systemRng } from '../base/rng.ts';
import { nativeBinary } from '../native/binary.ts';
import { serveJson } from '../test/support/json-child.ts';

const [directory = '', registry = ''] = process.argv.slice(2);
const store = await openImageStore({
  directory,
  network: {
    insecure: [registry],
    proxySocket: undefined,
    connectTimeoutMs: 10_000,
    idleTimeoutMs: 30_000,
  },
  writer: [nativeBinary, 'orc-unpack'],
  clock: systemClock(),
  rng: systemRng(),
  log: silentLog,
});

serveJson({
  async pull({ reference }: { reference: string }) {
    const request = { reference, credentials: [], onProgress: () => {} };
    await store.pull(request, new AbortController().signal);
  },
  threads,
});

/** Seconds of processor time so far of each of this process's threads, by their names; ended children too. */
async function threads(): Promise<Readonly<Record<string, number>>> {
  const seconds: Record<string, number> = {};
  for (const id of await readdir('/proc/self/task')) {
    const stat = await readFile(`/proc/self/task/${id}/stat`, 'utf8');
    const [utime, stime, cutime, cstime] = stat.slice(stat.lastIndexOf(')')).split(' ').slice(12);
    const name = /\((.*)\)/.exec(stat)![1]!;
    const key = id === `${process.pid}` ? 'main' : name;
    seconds[key] = (seconds[key] ?? 0) + (Number(utime) + Number(stime)) / 100;
    seconds['children'] = (Number(cutime) + Number(cstime)) / 100;
  }
  return seconds;
}
