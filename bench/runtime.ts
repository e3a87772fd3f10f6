/**
 * A static `true` from nothing to running, ended and gone: the floor of system calls, orc, crun and runc, in turn. As root,
 * on a machine that has nothing else to do: node bench/runtime.ts [rounds [burst [idle samples]]]. docs/performance.md has the figures.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { seccompFilters } from '../agent/runtime/seccomp-filters.ts';
import { seccompProfile } from '../agent/runtime/seccomp-profile.ts';
import { crunBinary, runcBinary } from '../test/support/other-runtime.ts';
import { startAgentPeer } from './agent-peer.ts';
import { median, percentile, printTable } from './figures.ts';
import {
  atOnce,
  buildFloor,
  type Contender,
  floorContender,
  makeRoot,
  startFloor,
  type Times,
} from './floor-peer.ts';
import { startOciPeers } from './oci-peer.ts';
import { runInside } from './run-inside.ts';

const [rounds = 100, burstOf = 200, idleSamples = 2] = process.argv.slice(2).map(Number);
const idleMs = 60_000;
const largeHeapMb = 450;

if (process.env.ORC_BENCH_INSIDE === undefined) {
  await Promise.all([runcBinary(), crunBinary()]);
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
  const built = await buildFloor(dir);
  const agent = await startAgentPeer(built.true);
  cleanup.defer(() => agent.stop());
  const { cgroups } = agent.host;
  const top = cgroups.directories('').find(({ controller }) => /^(cpu)?$/.test(controller))!.path;
  const [weight, most] = cgroups.version === 2 ? ['cpu.weight', '10000'] : ['cpu.shares', '262144'];
  await writeFile(join(top, weight!), most!);
  const parent = top.replace(/^\/sys\/fs\/cgroup(\/cpu[^/]*)?/, '');
  await cgroups.ensure('floor');
  const layer = await makeRoot(join(dir, 'root'), built.true);
  const floor = await startFloor({
    program: built.floor,
    dir: join(dir, 'floor-work'),
    layer,
    filter: seccompFilters(process.arch).of(seccompProfile([], process.arch)).program,
    groups: cgroups
      .directories('floor')
      .map(({ path }) => (cgroups.version === 2 ? `into:${path}` : path)),
  });
  cleanup.defer(() => floor.stop());
  const at = { dir: join(dir, 'peers'), root: layer, parent };
  const peers = await startOciPeers({ ...at, floor: built.floor });
  cleanup.defer(() => peers.stop());
  const contenders = [
    floorContender(floor, 'container'),
    agent.container,
    ...peers.contenders,
    floorContender(floor, 'pod'),
    agent.pod,
  ];
  await sayWhere(cgroups.directories('floor').at(-1)!.path);
  await inTurn(`one at a time, ${rounds} times`, contenders);
  await manyAtOnce(contenders);
  const heap = Array.from({ length: largeHeapMb }, () =>
    Array.from({ length: 131_072 }, (_, i) => i + 0.5),
  );
  const ours = contenders.filter(({ name }) => /^(floor|orc)/.test(name));
  await inTurn(`with a heap of ${heap.length} MB in the agent`, ours);
  await afterIdle(contenders);
}

/** What bends all of the figures: see the three traps in docs/performance.md. */
async function sayWhere(group: string): Promise<void> {
  const mounts = await readFile('/proc/mounts', 'utf8');
  const favoured = /favordynmods/.test(mounts) ? 'mounted with favordynmods' : 'no favordynmods';
  const attaches: number[] = [];
  for (let i = 0; i < 5; i++) {
    const child = spawn('sleep', ['100'], { stdio: 'ignore' });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const begun = performance.now();
    await writeFile(join(group, 'cgroup.procs'), `${child.pid}`);
    attaches.push(performance.now() - begun);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }
  const load = loadavg().map((value) => value.toFixed(1));
  console.log(
    `Linux ${release()}, ${cpus().length} processors, load ${load.join(' ')}, ${favoured};`,
    `an attach to a cgroup after a second without one takes ${median(attaches).toFixed(1)} ms`,
  );
}

/** Each round runs each of them once; the first round is left out. */
async function inTurn(title: string, contenders: readonly Contender[]): Promise<void> {
  const taken = new Map<string, Times[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++)
    for (const { name, once } of contenders) {
      const times = await once();
      if (round > 0) taken.get(name)?.push(times);
    }
  const all = (name: string, what: keyof Times) => taken.get(name)!.map((times) => times[what]);
  const whole = (name: string) => median(all(name, 'deleted'));
  const ratio = (name: string, to: string) =>
    taken.has(to) ? (whole(name) / whole(to)).toFixed(2) : '';
  const rows = contenders.map(({ name }) => [
    name,
    ...(['started', 'exited', 'deleted'] as const).map((what) =>
      median(all(name, what)).toFixed(2),
    ),
    ...[10, 90].map((percent) => percentile(all(name, 'deleted'), percent).toFixed(2)),
    ratio(name, name.includes('pod') ? 'floor: pod and container' : 'floor: container'),
    ratio(name, 'crun 1.8.1'),
  ]);
  const head = [title, 'started', 'ended', 'gone, ms', 'p10', 'p90', '÷ floor', '÷ crun'];
  printTable(head, rows);
}

async function manyAtOnce(contenders: readonly Contender[]): Promise<void> {
  const rows: string[][] = [];
  for (const { name, burst } of contenders) {
    const took: number[] = [];
    for (let i = 0; i < 3; i++) took.push(await burst(burstOf));
    const seconds = median(took) / 1000;
    rows.push([name, seconds.toFixed(2), (burstOf / seconds).toFixed(0)]);
  }
  printTable(
    [`${burstOf}, ${atOnce} at a time, median of 3`, 'all gone after, s', 'per second'],
    rows,
  );
}

/** Nothing of this bench runs meanwhile; each contender has its own minute, as the first to come pays for the others. */
async function afterIdle(contenders: readonly Contender[]): Promise<void> {
  const rows: string[][] = [];
  for (const { name, once } of contenders) {
    const all: number[] = [];
    for (let i = 0; i < idleSamples; i++) {
      await new Promise((resolve) => setTimeout(resolve, idleMs));
      all.push((await once()).deleted);
    }
    rows.push([name, all.map((ms) => ms.toFixed(1)).join(', ')]);
  }
  if (idleSamples > 0) printTable([`after ${idleMs / 1000} s without a start`, 'gone, ms'], rows);
}
