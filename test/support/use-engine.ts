import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import type { Engine } from './docker-engine.ts';
import { openOciProgram } from './oci-program.ts';

type Start<E extends Engine> = (dir: string, cacheDir: string, runtime: string) => Promise<E>;

const cacheDir = join(import.meta.dirname, '../../.cache');

/** An engine whose runtime is orc-oci, for all tests of a file; whatever of it outlasts them is an error. */
export function useEngine<E extends Engine>(start: Start<E>): () => E & { readonly dir: string } {
  let running: (E & { readonly dir: string }) | undefined;
  const cleanup = new AsyncDisposableStack();
  beforeAll(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'orc-engine-'));
    cleanup.defer(() => rm(dir, { recursive: true, force: true }));
    const before = await mountPoints();
    const { program } = cleanup.use(await openOciProgram());
    cleanup.defer(async () => {
      const remains = [...(await processesOf(dir, program)), ...(await newMounts(before))];
      if (remains.length > 0) throw new Error(`left behind:\n${remains.join('\n')}`);
    });
    const engine = await start(dir, cacheDir, program);
    cleanup.defer(engine.stop);
    running = { ...engine, dir };
  }, 120_000);
  afterAll(() => cleanup.disposeAsync());
  return () => {
    if (!running) throw new Error('not before the tests');
    return running;
  };
}

const mountPoints = async () => (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');

const newMounts = async (before: readonly string[]) =>
  (await mountPoints()).filter((line) => !before.includes(line));

/** Command lines that name one of them. */
async function processesOf(...paths: readonly string[]): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const looks = pids.map(async (pid) => {
    const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
    return paths.some((path) => command.includes(path)) ? [`${pid} ${command}`] : [];
  });
  const found = await Promise.allSettled(looks);
  return found.flatMap((look) => (look.status === 'fulfilled' ? look.value : []));
}
