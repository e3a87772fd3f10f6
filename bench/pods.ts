/**
 * Pods beside `docker run -d`: one after the other, fifty at once, and what thirty take in memory. As root, on a machine
 * that has nothing else to do: make bench. docs/performance.md says what is measured, and the figures.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Docker, startDocker } from '../test/support/docker-engine.ts';
import { median, percentile, printTable } from './figures.ts';
import { helloPod, type Orc, startOrc } from './orc-peer.ts';
import { memoryBelow, type ResidentMemory } from './resident-memory.ts';

const [rounds = 50, burst = 50, resident = 30] = process.argv.slice(2).map(Number);
/** Longer than anything that is kept for a while (the unpacking thread: 30 s). */
const settleMs = 35_000;
const cacheDir = join(import.meta.dirname, '../.cache');
const dir = await mkdtemp(join(tmpdir(), 'orc-bench-'));
await using cleanup = new AsyncDisposableStack();
cleanup.defer(() => rm(dir, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void cleanup.disposeAsync().finally(() => process.exit(1)));
const docker = await startDocker(join(dir, 'docker'), cacheDir);
cleanup.defer(() => docker.stop());
const orc = await startOrc(dir, cacheDir);
cleanup.defer(() => orc.stop());

await oneByOne(orc, docker);
await allAtOnce(orc, docker);
await memory(orc, docker);

/** Each round starts each of them once, in turn; the first round is left out. */
async function oneByOne(orc: Orc, docker: Docker): Promise<void> {
  const starts: Readonly<Record<string, (name: string) => Promise<number>>> = {
    'orc, API: apply → Running': async (name) => {
      await applyPod(orc, name);
      return orc.running([name]);
    },
    'docker, API: create, start': async (name) => {
      await docker.post(`/containers/create?name=${name}`, { Image: 'hello:1' });
      await docker.post(`/containers/${name}/start`);
      return performance.now();
    },
    'orc apply -f → Running': async (name) => {
      expectDone(await orc.run('apply', '-f', await manifest([name])));
      return orc.running([name]);
    },
    'docker run -d': async (name) => {
      expectDone(await docker.run('run', '-d', '--name', name, 'hello:1'));
      return performance.now();
    },
  };
  const times = new Map(Object.keys(starts).map((what) => [what, [] as number[]]));
  for (let round = 0; round <= rounds; round++) {
    for (const [what, start] of Object.entries(starts)) {
      const name = `one-${round}`;
      const from = performance.now();
      const took = (await start(name)) - from;
      if (round > 0) times.get(what)!.push(took);
      await removeAll(what.startsWith('orc') ? orc : docker, [name]);
    }
  }
  const ms = (value: number) => `${value.toFixed(0)} ms`;
  const rows = [...times].map(([what, all]) => [what, ms(median(all)), ms(percentile(all, 99))]);
  printTable([`one pod, cached image, ${rounds} times`, 'p50', 'p99'], rows);
}

async function allAtOnce(orc: Orc, docker: Docker): Promise<void> {
  const names = Array.from({ length: burst }, (_, i) => `burst-${i}`);
  const times = { orc: [] as number[], docker: [] as number[] };
  for (let round = 0; round < 3; round++) {
    let from = performance.now();
    expectDone(await orc.run('apply', '-f', await manifest(names)));
    times.orc.push((await orc.running(names)) - from);
    await removeAll(orc, names);
    from = performance.now();
    await runContainers(docker, names);
    times.docker.push(performance.now() - from);
    await removeAll(docker, names);
  }
  const row = (what: string, all: readonly number[]) => {
    const seconds = median(all) / 1000;
    return [what, `${seconds.toFixed(1)} s`, `${(burst / seconds).toFixed(0)}/s`];
  };
  printTable(
    [`${burst} at once, median of 3`, 'all running after', 'rate'],
    [row('orc apply -f', times.orc), row(`${burst} × docker run -d, 10 at a time`, times.docker)],
  );
}

async function memory(orc: Orc, docker: Docker): Promise<void> {
  const names = Array.from({ length: resident }, (_, i) => `resident-${i}`);
  expectDone(await orc.run('apply', '-f', await manifest(names)));
  await Promise.all([orc.running(names), runContainers(docker, names)]);
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const [ours, theirs] = [await memoryBelow(orc.pid), await memoryBelow(docker.pid)];
  const roles: readonly [string, readonly ResidentMemory[], RegExp][] = [
    ['orc controller', ours, /^\S*node .* controller /],
    ['orc agent', ours, /^\S*node .* agent /],
    ['orc-launch', ours, /orc-launch /],
    ['orc-shim', ours, /^\S*orc-shim/],
    ['dockerd', theirs, /^dockerd /],
    ['containerd', theirs, /^containerd /],
    ['containerd-shim', theirs, /^\S*containerd-shim/],
  ];
  const rows = roles.map(([what, all, pattern]) => {
    const found = all.filter(({ command }) => pattern.test(command));
    const sum = (field: 'rss' | 'pss') =>
      found.reduce((total, one) => total + one[field], 0).toFixed(1);
    return [what, `${found.length}`, sum('rss'), sum('pss')];
  });
  printTable([`${resident} pods`, 'processes', 'RSS, MB', 'PSS, MB'], rows);
}

/** Server-side apply, as the command line does it. */
async function applyPod(orc: Orc, name: string): Promise<void> {
  await orc.api.send({
    method: 'PATCH',
    path: `/api/v1/namespaces/default/pods/${name}`,
    query: { fieldManager: 'bench' },
    type: 'application/apply-patch+yaml',
    body: helloPod(name),
  });
}

async function manifest(names: readonly string[]): Promise<string> {
  const path = join(dir, 'pods.yaml');
  await writeFile(path, names.map((name) => JSON.stringify(helloPod(name))).join('\n---\n'));
  return path;
}

async function runContainers(docker: Docker, names: readonly string[]): Promise<void> {
  const waiting = [...names];
  const oneAfterTheOther = async () => {
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop())
      expectDone(await docker.run('run', '-d', '--name', name, 'hello:1'));
  };
  await Promise.all(Array.from({ length: 10 }, oneAfterTheOther));
}

async function removeAll(peer: Orc | Docker, names: readonly string[]): Promise<void> {
  if ('post' in peer) return expectDone(await peer.run('rm', '--force', ...names));
  const remove = (name: string) =>
    peer.api.send({ method: 'DELETE', path: `/api/v1/namespaces/default/pods/${name}` });
  await Promise.all(names.map(remove));
  await peer.gone(names);
}

function expectDone({ code, err }: { readonly code: number; readonly err: string }): void {
  if (code !== 0) throw new Error(err);
}
