/**
 * A cold pull of a large image, unpacked: orc, Debian's docker, containerd and podman, and the floor, in turn. As root, on a
 * machine that has nothing else to do: node bench/images.ts [--zstd] [rounds [contender...]], of which `floor` is one.
 * docs/performance.md has the figures.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { OciImage } from '../dev/images/oci-image.ts';
import { ensurePackages } from '../dev/images/packages.ts';
import { pushImage } from '../dev/images/push-image.ts';
import { startRegistry } from '../dev/images/registry.ts';
import { median, printTable } from './figures.ts';
import { type FreshDisk, openFreshDisk, quietDisks, warmMemory } from './fresh-disk.ts';
import { type FloorStep, floorPackages, prepareFloor, type Spent } from './image-floor.ts';
import { fetchPeers, type ImagePeer, imagePeers } from './image-peers.ts';
import { buildLargeImage, largeImageMegabytes } from './large-image.ts';
import { endedChildrenSeconds, processorSeconds, stolenSeconds } from './processor-time.ts';
import { memoryBelow } from './resident-memory.ts';
import { runInside } from './run-inside.ts';

const { values, positionals } = parseArgs({
  options: { zstd: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const [roundsText = '5', ...wanted] = positionals;
const rounds = Number(roundsText);
const compression = values.zstd ? 'zstd' : 'gzip';
const cacheDir = join(import.meta.dirname, '../.cache');
/** Of the registry. */
const port = 5000;
/** This docker is too old for zstd. */
const gzipOnly = /^(docker|floor)/;
const memoryRounds = 2;
const lookEveryMs = 20;

if (process.env.ORC_BENCH_INSIDE === undefined) {
  await buildLargeImage(compression, cacheDir);
  await fetchPeers(cacheDir);
  await ensurePackages(['docker-registry', ...floorPackages], cacheDir);
  await runInside();
} else {
  await measure();
}

async function measure(): Promise<void> {
  await using cleanup = new AsyncDisposableStack();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void cleanup.disposeAsync().finally(() => process.exit(1)));
  const dir = await mkdtemp(join(tmpdir(), 'orc-bench-'));
  cleanup.defer(() => rm(dir, { recursive: true, force: true }));
  const image = await buildLargeImage(compression, cacheDir);
  const registry = await serveImage(image, join(dir, 'registry'));
  cleanup.defer(() => registry.stop());
  const disk = await openFreshDisk(dir);
  cleanup.defer(() => disk.release());
  const at: Place = {
    disk,
    warm: join(dir, 'warm'),
    reference: `127.0.0.1:${port}/${image.name}:1`,
  };
  const isWanted = ({ name }: { readonly name: string }) =>
    (wanted.length === 0 || wanted.some((word) => name.startsWith(word))) &&
    (compression === 'gzip' || !gzipOnly.test(name));
  const peers = imagePeers(`127.0.0.1:${port}`, cacheDir).filter(isWanted);
  const freshDirectory = async () => {
    await disk.renew();
    return disk.path;
  };
  const steps = isWanted({ name: 'floor' })
    ? await prepareFloor({
        ...{ dir, cacheDir, image, port, registryPid: registry.pid, freshDirectory },
      })
    : [];
  const load = loadavg().map((value) => value.toFixed(1));
  const [begun, taken] = [performance.now(), await stolenSeconds()];
  const peaks = await peakMemories(peers, at);
  const pulls = new Map<string, Pull[]>(peers.map(({ name }) => [name, []]));
  const spent = new Map<FloorStep, Spent[]>(steps.map((step) => [step, []]));
  for (let round = 0; round < rounds; round++) {
    for (const peer of peers) pulls.get(peer.name)!.push(await pullOnce(peer, at));
    for (const step of steps) spent.get(step)!.push(await runStep(step, at));
  }
  const stolen = (await stolenSeconds()) - taken;
  sayWhere(image, load.join(' '), (stolen * 1000) / (performance.now() - begun));
  reportFloor(spent);
  reportPulls(pulls, peaks, floorSeconds(spent));
}

/** As NAME:1. */
async function serveImage(image: OciImage, dataDir: string) {
  let pid = 0;
  const registry = await startRegistry({
    ...{ address: '127.0.0.1', port, dataDir, cacheDir },
    spawn: (command, args, options) => {
      const child = spawn(command, args, options);
      pid = child.pid ?? 0;
      return child;
    },
  });
  await pushImage(image, { registry: registry.url, repository: image.name, tag: '1' });
  return { pid, stop: registry.stop };
}

function sayWhere({ layers }: OciImage, load: string, stolen: number): void {
  const megabytes = layers.reduce((sum, { size }) => sum + size, 0) / 1e6;
  console.log(
    `Linux ${release()}, ${cpus().length} processors (${stolen.toFixed(2)} taken by the hypervisor),`,
    `load ${load}; ${layers.length} layers, ${megabytes.toFixed(0)} MB of ${compression}`,
  );
}

interface Place {
  readonly disk: FreshDisk;
  /** A directory, for warmMemory. */
  readonly warm: string;
  readonly reference: string;
}

/** Seconds. */
interface Pull {
  readonly pulled: number;
  /** The same, and all of it on disk. */
  readonly synced: number;
  readonly processor: number;
}

async function pullOnce(peer: ImagePeer, at: Place): Promise<Pull> {
  await at.disk.renew();
  const started = await peer.start(at.disk.path);
  try {
    await quietDisks();
    await warmMemory(at.warm);
    const used = async () => (await processorSeconds(started.pid)) + (await endedChildrenSeconds());
    const [before, begun] = [await used(), performance.now()];
    const seconds = () => (performance.now() - begun) / 1000;
    await started.pull(at.reference, () => {});
    const [pulled, processor] = [seconds(), (await used()) - before];
    await at.disk.sync();
    const held = await at.disk.megabytes();
    if (held < largeImageMegabytes) throw new Error(`${peer.name} has unpacked ${held} MB`);
    return { pulled, synced: seconds(), processor };
  } finally {
    await started.stop();
  }
}

/** Of what serves and who asks, in MB: looked at in rounds of their own, as looking takes a part of a processor. */
async function peakMemories(peers: readonly ImagePeer[], at: Place) {
  const peaks = new Map<string, number>(peers.map(({ name }) => [name, 0]));
  for (let round = 0; round < memoryRounds; round++)
    for (const peer of peers) {
      const peak = await peakMemory(peer, at);
      peaks.set(peer.name, Math.max(peak, peaks.get(peer.name)!));
    }
  return peaks;
}

async function peakMemory(peer: ImagePeer, at: Place): Promise<number> {
  await at.disk.renew();
  const started = await peer.start(at.disk.path);
  const roots = [started.pid];
  let peak = 0;
  let isPulled = false;
  const look = async () => {
    while (!isPulled) {
      const all = (await Promise.all(roots.map(memoryBelow))).flat();
      peak = Math.max(
        peak,
        all.reduce((sum, { pss }) => sum + pss, 0),
      );
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
    }
  };
  try {
    const pull = started.pull(at.reference, (pid) => void roots.push(pid));
    await Promise.all([pull.finally(() => (isPulled = true)), look()]);
    return peak;
  } finally {
    await started.stop();
  }
}

async function runStep(step: FloorStep, { warm }: Place): Promise<Spent> {
  await quietDisks();
  await warmMemory(warm);
  return step.run();
}

/** What its steps spend, spread over all processors: less is impossible, whatever overlaps with what. */
function floorSeconds(spent: ReadonlyMap<FloorStep, readonly Spent[]>): number {
  const needed = [...spent].filter(([step]) => step.isNeeded);
  const sum = needed.reduce(
    (all, [, each]) => all + median(each.map((one) => one.processorSeconds)),
    0,
  );
  return sum / cpus().length;
}

function reportFloor(spent: ReadonlyMap<FloorStep, readonly Spent[]>): void {
  if (spent.size === 0) return;
  const rows = [...spent].map(([{ name }, each]) => [
    name,
    (median(each.map(({ ms }) => ms)) / 1000).toFixed(2),
    median(each.map((one) => one.processorSeconds)).toFixed(2),
  ]);
  const all = floorSeconds(spent);
  rows.push([
    'the floor: on all processors at once',
    all.toFixed(2),
    (all * cpus().length).toFixed(2),
  ]);
  printTable([`floor, ${rounds} times`, 's', 'processor, s'], rows);
}

function reportPulls(
  pulls: ReadonlyMap<string, readonly Pull[]>,
  peaks: ReadonlyMap<string, number>,
  floor: number,
): void {
  if (pulls.size === 0) return;
  const of = (name: string, what: keyof Pull) => median(pulls.get(name)!.map((pull) => pull[what]));
  const others = [...pulls.keys()].filter((name) => name !== 'orc');
  const fastest = Math.min(...others.map((name) => of(name, 'synced')));
  const ratio = (value: number, to: number) =>
    Number.isFinite(to) && to > 0 ? (value / to).toFixed(2) : '';
  const rows = [...pulls.keys()].map((name) => {
    const synced = pulls.get(name)!.map((pull) => pull.synced);
    return [
      name,
      of(name, 'pulled').toFixed(2),
      of(name, 'synced').toFixed(2),
      `${Math.min(...synced).toFixed(2)}–${Math.max(...synced).toFixed(2)}`,
      ratio(of(name, 'synced'), fastest),
      ratio(of(name, 'synced'), floor),
      of(name, 'processor').toFixed(2),
      peaks.get(name)!.toFixed(0),
    ];
  });
  printTable(
    [
      ...[`cold pull, ${rounds} times`, 'unpacked, s', 'on disk, s', 'of them'],
      ...['÷ fastest peer', '÷ floor', 'processor, s', 'peak PSS, MB'],
    ],
    rows,
  );
}
