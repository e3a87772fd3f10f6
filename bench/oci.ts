/**
 * `run`, and `create`, `start` and `delete`, of a static `true` by orc-oci, crun and runc, in turn: whole commands, the default
 * filter of system calls included. As root, on a quiet machine: node bench/oci.ts [rounds]. docs/performance.md has the figures.
 */
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crunBinary, hideUnified, runcBinary } from '../test/support/other-runtime.ts';
import { median, percentile, printTable } from './figures.ts';
import { buildFloor, makeRoot } from './floor-peer.ts';
import { makeBundle } from './oci-peer.ts';

const rounds = Number(process.argv[2] ?? 100);

if (process.env.ORC_BENCH_INSIDE === undefined) await runInside();
else await measure();

/** In a mount namespace without the unified tree of a hybrid host, where Debian's crun refuses to work. */
async function runInside(): Promise<void> {
  await Promise.all([runcBinary(), crunBinary()]);
  const within = ['--mount', '--propagation', 'private', 'sh', '-c', `${hideUnified}; exec "$@"`];
  const self = ['sh', process.execPath, import.meta.filename, String(rounds)];
  const child = spawn('unshare', [...within, ...self], {
    stdio: 'inherit',
    env: { ...process.env, ORC_BENCH_INSIDE: '1' },
  });
  process.exitCode = await new Promise<number>((resolve) => {
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

interface Runtime {
  readonly name: string;
  readonly path: string;
  readonly env: NodeJS.ProcessEnv;
}

async function measure(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'orc-bench-'));
  try {
    const built = await buildFloor(dir);
    const root = await makeRoot(dir, built.true);
    const runc = await runcBinary();
    const crun = await crunBinary();
    const bundle = await makeBundle(join(dir, 'bundle'), runc, root);
    const runtimes: readonly Runtime[] = [
      { name: 'orc-oci', path: installed(dir), env: {} },
      { name: 'crun 1.8.1', path: crun.path, env: { LD_LIBRARY_PATH: crun.libraryPath } },
      { name: 'runc 1.1.5', path: runc, env: {} },
    ];
    for (const verbs of [['run'], ['create', 'start', 'delete']])
      report(verbs, dir, { runtimes, bundle });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What an installation has, with the bundle that `make build` made. */
function installed(dir: string): string {
  const native = join(import.meta.dirname, '../native/build');
  mkdirSync(join(dir, 'program'));
  copyFileSync(join(native, 'orc-native'), join(dir, 'program/orc-oci'));
  symlinkSync(process.execPath, join(dir, 'program/node'));
  symlinkSync(join(native, '../../build/oci-planner.js'), join(dir, 'program/planner'));
  return join(dir, 'program/orc-oci');
}

function report(
  verbs: readonly string[],
  dir: string,
  { runtimes, bundle }: { readonly runtimes: readonly Runtime[]; readonly bundle: string },
): void {
  const times = new Map(runtimes.map(({ name }) => [name, [] as number[]]));
  const first = new Map<string, number>();
  for (let round = -3; round < rounds; round++)
    for (const runtime of runtimes) {
      const ms = once(runtime, verbs, { root: join(dir, runtime.name.replace(' ', '-')), bundle });
      if (round === -3) first.set(runtime.name, ms);
      if (round >= 0) times.get(runtime.name)!.push(ms);
    }
  const runcMs = median(times.get('runc 1.1.5')!);
  const rows = [...times].map(([name, all]) => {
    const middle = median(all);
    const figures = [middle, percentile(all, 10), percentile(all, 90), middle / runcMs];
    return [name, ...[...figures, first.get(name)!].map((figure) => figure.toFixed(2))];
  });
  printTable(
    [`${verbs.join(' + ')}, ${rounds} times`, 'ms', 'p10', 'p90', '÷ runc', 'first'],
    rows,
  );
}

function once(
  { path, env }: Runtime,
  verbs: readonly string[],
  { root, bundle }: { readonly root: string; readonly bundle: string },
): number {
  const id = `orc-bench-${process.pid}`;
  const begin = performance.now();
  for (const verb of verbs) {
    const makes = verb === 'run' || verb === 'create';
    const options = makes ? ['--bundle', bundle] : verb === 'delete' ? ['--force'] : [];
    const { status } = spawnSync(path, ['--root', root, verb, ...options, id], {
      stdio: 'ignore',
      env: { ...process.env, ...env },
    });
    if (status !== 0) throw new Error(`${path} ${verb} failed`);
  }
  return performance.now() - begin;
}
