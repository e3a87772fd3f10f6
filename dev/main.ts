import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeSync } from 'node:fs';
import { chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { orAborted } from '../base/deadline.ts';
import { UsageError } from '../base/flags.ts';
import { runCommand } from '../base/run-command.ts';
import { type DevCluster, startDevCluster } from './cluster.ts';
import { type DevConfig, devHelp, readDevConfig, scopedEnvironment } from './config.ts';
import { makeDataDir } from './leftovers.ts';
import { runRelay } from './publish.ts';
import { orcCommand } from './roles.ts';

/** `orc dev`: brings a cluster up on this machine, waits for Ctrl-C, takes it down. Gives the exit code. */
export const runDev = (argv: readonly string[]): Promise<number> =>
  runCommand({ name: 'orc dev', help: devHelp, argv }, async () => {
    if (argv[0] === 'relay') return await runRelay(argv.slice(1));
    const config = readDevConfig(argv);
    if (process.getuid?.() !== 0)
      throw new UsageError('orc dev makes namespaces and mounts: run it as root (sudo)');
    return (await runInScope(argv, config)) ?? (await runCluster(config));
  });

async function runCluster(config: DevConfig): Promise<number> {
  const clock = systemClock();
  const startedAt = clock.monotonic();
  const signal = interruption();
  const dataDir = config.dataDir ?? (await makeDataDir());
  await mkdir(dataDir, { recursive: true });
  await using undo = new AsyncDisposableStack();
  if (config.dataDir === undefined) undo.defer(() => rm(dataDir, { recursive: true, force: true }));
  try {
    const cluster = undo.use(await startDevCluster({ ...config, dataDir, clock }, signal));
    await handOver(config, dataDir, cluster);
    const seconds = ((clock.monotonic() - startedAt) / 1000).toFixed(1);
    announce(config, { seconds, dataDir, cluster });
    // Last: who waits for it reads what was announced.
    if (config.readyFd !== undefined) writeSync(config.readyFd, 'ready\n');
    console.error(`orc dev: ${await orAborted(cluster.lost, signal)}`);
    return 1;
  } catch (error) {
    // A mistake in taking down is told all the same.
    if (signal.aborted && !(error instanceof SuppressedError)) return 0;
    throw error;
  }
}

/**
 * Under systemd a cgroup belongs to whoever it was delegated to, so `orc dev` runs itself again in a scope of its own
 * with Delegate=yes (systemd.resource-control(5)). Gives that one's exit code; undefined: no need, go on here.
 */
async function runInScope(argv: readonly string[], { scoped, readyFd }: DevConfig) {
  if (scoped || !existsSync('/run/systemd/system')) return undefined;
  const inherited =
    readyFd === undefined ? [] : Array.from({ length: readyFd - 2 }, (_, i) => i + 3);
  const scope = ['--scope', '--quiet', '--collect', '--property=Delegate=yes', '--'];
  const child = spawn('systemd-run', [...scope, ...orcCommand('dev', ...argv)], {
    stdio: ['inherit', 'inherit', 'inherit', ...inherited],
    env: scopedEnvironment(),
  });
  for (const name of endings) process.on(name, () => child.kill(name));
  const [code] = await once(child, 'exit');
  return code ?? 1;
}

const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Ctrl-C, SIGTERM and a terminal that goes all mean the same: take it down. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of endings)
    process.on(name, () => controller.abort(new Error(`interrupted by ${name}`)));
  return controller.signal;
}

async function handOver(config: DevConfig, dataDir: string, cluster: DevCluster): Promise<void> {
  const path = join(dataDir, 'kubeconfig');
  await writeFile(path, cluster.kubeconfig, { mode: 0o600 });
  await writeFile(join(dataDir, 'hosts.json'), `${JSON.stringify(cluster.hosts)}\n`);
  if (config.owner) {
    await chown(dataDir, config.owner.uid, config.owner.gid);
    await chown(path, config.owner.uid, config.owner.gid);
  }
}

function announce(
  { nodes, controllers, etcd }: DevConfig,
  up: { readonly seconds: string; readonly dataDir: string; readonly cluster: DevCluster },
): void {
  const hosts = nodes === 1 ? '1 host' : `${nodes} hosts`;
  const leading = controllers === 1 ? '' : `${controllers} controllers · `;
  const store = etcd === 0 ? 'embedded' : `etcd (${etcd})`;
  const kubeconfig = join(up.dataDir, 'kubeconfig');
  console.log(
    [
      `  orc dev     ${hosts} up in ${up.seconds} s · ${leading}controller 127.0.0.1:${up.cluster.port} · store ${store}`,
      ...up.cluster.published.map((line) => `  Published   ${line}`),
      '',
      `  Go on:  export KUBECONFIG=${kubeconfig}`,
      '          ./orc get nodes · ./orc apply -f manifests/ · kubectl get nodes',
      '  Stop:   Ctrl-C',
    ].join('\n'),
  );
}
