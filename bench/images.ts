/**
 * A cold pull of a large image, unpacked: orc, Debian's docker, containerd and podman, and the floor, in turn. As root, on a
 * machine that has nothing else to do: node bench/images.ts [rounds]. docs/performance.md has the figures.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pushImage } from '../dev/images/push-image.ts';
import { startRegistry } from '../dev/images/registry.ts';
import { startJsonChild } from '../test/support/json-child.ts';
import { median, printTable } from './figures.ts';
import { type FreshDisk, openFreshDisk, quietDisks, warmMemory } from './fresh-disk.ts';
import { buildLargeImage } from './large-image.ts';

const [rounds = '5'] = process.argv.slice(2);
const cacheDir = join(import.meta.dirname, '../.cache');

if (process.env.ORC_BENCH_INSIDE === undefined) await runInside();
else await measure();

/** In network and mount namespaces of its own, so that nothing touches the machine's. */
async function runInside(): Promise<void> {
  await buildLargeImage('gzip', cacheDir);
  const script = 'ip link set lo up; exec "$@"';
  const self = [process.execPath, import.meta.filename, ...process.argv.slice(2)];
  const apart = ['--net', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', ...self];
  const child = spawn('unshare', apart, {
    stdio: 'inherit',
    detached: true,
    env: { ...process.env, ORC_BENCH_INSIDE: '1' },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => void child.kill(signal));
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

/** What a measurement pulls, and where to. */
interface Round {
  readonly directory: string;
  readonly registry: string;
  readonly reference: string;
}

interface Figures {
  readonly pulledMs: number;
  readonly onDiskMs: number;
}

async function measure(): Promise<void> {
  await using cleanup = new AsyncDisposableStack();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void cleanup.disposeAsync().finally(() => process.exit(1)));
  const dir = await mkdtemp(join(tmpdir(), 'orc-bench-'));
  cleanup.defer(() => rm(dir, { recursive: true, force: true }));
  const registry = await startRegistry({
    ...{ address: '127.0.0.1', port: 5000, dataDir: join(dir, 'registry'), cacheDir },
  });
  cleanup.defer(() => registry.stop());
  const image = await buildLargeImage('gzip', cacheDir);
  await pushImage(image, { registry: registry.url, repository: 'large', tag: '1' });
  const disk = await openFreshDisk(dir);
  cleanup.defer(() => disk.release());
  const load = loadavg().map((value) => value.toFixed(1));
  console.log(`Linux ${release()}, ${cpus().length} processors, load ${load.join(' ')}`);
  const all: Figures[] = [];
  for (let round = 0; round <= Number(rounds); round++) {
    const figures = await pullWithOrc(disk, {
      ...{ directory: disk.path, registry: '127.0.0.1:5000', reference: '127.0.0.1:5000/large:1' },
    });
    if (round > 0) all.push(figures);
  }
  const seconds = (what: keyof Figures) => (median(all.map((one) => one[what])) / 1000).toFixed(2);
  printTable(
    [`${rounds} times`, 'pulled, s', 'on disk, s'],
    [['orc', seconds('pulledMs'), seconds('onDiskMs')]],
  );
}

async function pullWithOrc(disk: FreshDisk, at: Round): Promise<Figures> {
  await disk.renew();
  const child = startJsonChild(process.execPath, [
    ...[join(import.meta.dirname, 'image-child.ts'), join(at.directory, 'images'), at.registry],
  ]);
  try {
    const before = await child.call<Record<string, number>>('threads');
    await quietDisks();
    await warmMemory(join(disk.path, '../warm'));
    const begun = performance.now();
    await child.call('pull', { reference: at.reference });
    const pulledMs = performance.now() - begun;
    await disk.sync();
    const onDiskMs = performance.now() - begun;
    const after = await child.call<Record<string, number>>('threads');
    const used = Object.entries(after).map(
      ([name, seconds]) => `${name} ${(seconds - (before[name] ?? 0)).toFixed(2)}`,
    );
    console.log(
      `${(pulledMs / 1000).toFixed(2)} s, then synced ${((onDiskMs - pulledMs) / 1000).toFixed(2)} s; processor s: ${used.join(', ')}`,
    );
    return { pulledMs, onDiskMs };
  } finally {
    await child.end();
  }
}
