import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import type { Server } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { withDeadline } from '../base/deadline.ts';
import { takeCgroupParent } from './cgroup-parent.ts';
import type { DevConfig } from './config.ts';
import { type Controllers, forwardControllers, keepControllers } from './controllers.ts';
import { serveEgressProxy } from './egress-proxy.ts';
import { findEtcd, keepEtcd } from './etcd.ts';
import { startRegistry } from './images/registry.ts';
import { makeRunDir, sweepLeftovers } from './leftovers.ts';
import { publishServices } from './publish.ts';
import { keepRole, orcCommand } from './roles.ts';
import { startVirtualHost, type VirtualHost } from './virtual-host.ts';
import { connectHosts, network, type PlacedHost } from './virtual-network.ts';

/** Takes everything down at its end; each step runs even if one before it failed. */
export interface DevCluster extends AsyncDisposable {
  /** On 127.0.0.1. */
  readonly port: number;
  readonly kubeconfig: string;
  /** Which port of this machine leads to which Service. */
  readonly published: readonly string[];
  /** The first process of each host, by the host's name: `nsenter --target PID` leads into it. */
  readonly hosts: Readonly<Record<string, number>>;
  /** Resolves when a part that can't be missed has ended by itself; says which. */
  readonly lost: Promise<string>;
}

export type ClusterConfig = DevConfig & { readonly dataDir: string };

interface Surroundings {
  readonly clock: Clock;
  /** Aborted: no further step is begun, and what there is is taken down. */
  readonly signal: AbortSignal;
}

export async function startDevCluster(
  config: ClusterConfig,
  { clock, signal }: Surroundings,
): Promise<DevCluster> {
  await using started = new AsyncDisposableStack();
  await sweepLeftovers(clock);
  const { name, path: runDir } = await makeRunDir();
  started.defer(() => rm(runDir, { recursive: true, force: true }));
  const opened = (server: Server) => void started.adopt(server, close);
  const published = await publishServices(config.publish, { runDir, opened });
  const cgroups = await takeCgroupParent(name, clock);
  started.defer(() => cgroups.remove());
  const hosts = await startHosts(config, started, clock);
  signal.throwIfAborted();
  await writeFile(join(runDir, 'hosts'), hostsFile(hosts.placed));
  await Promise.all(hosts.placed.map(({ host }) => bindHostsFile(host, runDir)));
  if (config.registry) await startRegistry(registryOptions(config, hosts.registry));
  opened(await serveEgressProxy(join(runDir, 'proxy.sock')));
  const around = supervision(clock);
  const etcd = await keepStore(config, hosts.etcd, around);
  signal.throwIfAborted();
  const controllers = await keepControllers(config, {
    ...{ hosts: hosts.controllers, runDir, etcd, around },
  });
  const { sockets } = controllers;
  const forwarded = await forwardControllers(config, { hosts: hosts.controllers, sockets });
  forwarded.forwards.forEach(opened);
  signal.throwIfAborted();
  const token = await controllers.agentToken();
  await Promise.all(
    hosts.nodes.map((placed) => {
      const cgroupParent = cgroups.of(placed.host.name);
      return keepAgent(config, { placed, runDir, token, controllers, cgroupParent, around });
    }),
  );
  await published.keepRelays(hosts.nodes, { dataDir: config.dataDir, around });
  signal.throwIfAborted();
  const all = started.move();
  return {
    published: published.lines,
    port: forwarded.port,
    kubeconfig: forwarded.kubeconfig,
    hosts: Object.fromEntries(hosts.all.map(({ name, pid }) => [name, pid])),
    lost: hosts.lost,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

interface Hosts {
  readonly registry: VirtualHost;
  readonly controllers: readonly PlacedHost[];
  readonly etcd: readonly PlacedHost[];
  readonly nodes: readonly PlacedHost[];
  readonly placed: readonly PlacedHost[];
  /** The switch too. */
  readonly all: readonly VirtualHost[];
  readonly lost: Promise<string>;
}

async function startHosts(
  config: ClusterConfig,
  undo: AsyncDisposableStack,
  clock: Clock,
): Promise<Hosts> {
  const started: VirtualHost[] = [];
  undo.defer(() => stopHosts(started, clock));
  const start = async (name: string) => {
    const host = await startVirtualHost(name);
    started.push(host);
    return host;
  };
  const several = (count: number, nameOf: (n: number) => string, at: (n: number) => string) =>
    Promise.all(
      Array.from({ length: count }, async (_, i) => ({
        host: await start(nameOf(i + 1)),
        address: at(i + 1),
      })),
    );
  const [bridge, registry, controllers, etcd, nodes] = await Promise.all([
    start('switch'),
    start('registry'),
    several(config.controllers, (n) => `controller${n === 1 ? '' : n}`, network.controllerAddress),
    several(config.etcd, (n) => `etcd${n}`, network.etcdAddress),
    several(config.nodes, (n) => `host${n}`, network.hostAddress),
  ]);
  const placed = [...controllers, { host: registry, address: network.registry }, ...etcd, ...nodes];
  await connectHosts(bridge, placed);
  // Of several controllers any may be killed.
  const needed = [bridge, ...(controllers.length === 1 ? controllers.map(({ host }) => host) : [])];
  const lost = Promise.race(
    needed.map(({ name, ended }) => ended.then(() => `the host "${name}" has ended`)),
  );
  const all = [bridge, ...placed.map(({ host }) => host)];
  return { registry, controllers, etcd, nodes, placed, all, lost };
}

/** Controllers in order, if they can; then everything at once. */
async function stopHosts(hosts: readonly VirtualHost[], clock: Clock): Promise<void> {
  const limit = { clock, ms: 3000, what: 'ending the controllers' };
  const controllers = hosts.filter(({ name }) => name.startsWith('controller'));
  await Promise.allSettled(controllers.map((host) => withDeadline(limit, () => host.terminate())));
  await Promise.all(hosts.map((host) => host.stop()));
}

const hostsFile = (placed: readonly PlacedHost[]): string =>
  ['127.0.0.1 localhost', ...placed.map(({ host, address }) => `${address} ${host.name}`), ''].join(
    '\n',
  );

const bindHostsFile = (host: VirtualHost, runDir: string): Promise<void> =>
  host.exec(['mount', '--bind', join(runDir, 'hosts'), '/etc/hosts']);

const registryOptions = ({ dataDir, cacheDir }: ClusterConfig, host: VirtualHost) => ({
  address: '0.0.0.0',
  port: 5000,
  dataDir: join(dataDir, 'registry'),
  cacheDir,
  spawn: (command: string, args: readonly string[], options: object) =>
    host.run([command, ...args], options),
});

async function keepStore(
  { dataDir, cacheDir }: ClusterConfig,
  hosts: readonly PlacedHost[],
  around: Supervision,
): Promise<readonly string[]> {
  if (hosts.length === 0) return [];
  const binary = await findEtcd(cacheDir);
  return keepEtcd({ hosts, dataDir: join(dataDir, 'etcd'), binary, around });
}

async function keepAgent(
  { dataDir, logLevel, runtimeHandler }: ClusterConfig,
  on: {
    readonly placed: PlacedHost;
    readonly runDir: string;
    readonly token: string;
    readonly controllers: Controllers;
    readonly cgroupParent: string;
    readonly around: Supervision;
  },
): Promise<void> {
  const { host, address } = on.placed;
  const { joinUrl, agentAddresses } = on.controllers;
  const { name } = host;
  const directory = join(dataDir, name);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const command = orcCommand(
    'agent',
    ...['--node-name', name, '--address', address],
    ...['--data-dir', directory, '--run-dir', join(on.runDir, name)],
    ...['--join', joinUrl, '--token', on.token],
    ...agentAddresses.flatMap((controller) => ['--controller', controller]),
    ...['--cgroup-parent', on.cgroupParent],
    ...['--insecure-registry', 'registry:5000', '--registry-proxy', join(on.runDir, 'proxy.sock')],
    ...runtimeHandler.flatMap((handler) => ['--runtime-handler', handler]),
    ...['--log-level', logLevel],
  );
  const logPath = join(dataDir, `${name}.log`);
  await keepRole({ host, name, command, logPath }, on.around);
}

type Supervision = ReturnType<typeof supervision>;

const supervision = (clock: Clock) => ({
  clock,
  log: (line: string) => console.error(`orc dev: ${line}`),
});

async function close(server: Server): Promise<void> {
  server.close();
  if ('closeAllConnections' in server && typeof server.closeAllConnections === 'function') {
    server.closeAllConnections();
  }
}
