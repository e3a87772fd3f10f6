import { chmod, rm, writeFile } from 'node:fs/promises';
import { Server as HttpServer } from 'node:http';
import type { Server } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { withDeadline } from '../base/deadline.ts';
import { takeCgroupParent } from './cgroup-parent.ts';
import { forwardControllers, keepControllers } from './controllers.ts';
import { keepEtcd } from './etcd.ts';
import { serveEgressProxy } from './forward.ts';
import { startRegistry } from './images/registry.ts';
import { makeRunDir, sweepLeftovers } from './leftovers.ts';
import { keepRelays, publishServices } from './publish.ts';
import { keepRole, orcCommand, type Site, stateDirectory } from './roles.ts';
import { startVirtualHost, type VirtualHost } from './virtual-host.ts';
import { connectHosts, network } from './virtual-network.ts';

/**
 * Takes everything down at its end; each step runs even if one before it failed.
 *
 * @param signal aborted: no further step is begun, and what there is is taken down.
 */
export async function startDevCluster(
  config: Omit<Site, 'runDir' | 'opened'>,
  signal: AbortSignal,
) {
  const { clock } = config;
  await using started = new AsyncDisposableStack();
  await sweepLeftovers(clock);
  const { name, path: runDir } = await makeRunDir();
  started.defer(() => rm(runDir, { recursive: true, force: true }));
  const site = { ...config, runDir, opened: (server: Server) => void started.adopt(server, close) };
  const published = await publishServices(site);
  const cgroups = await takeCgroupParent(name, clock);
  started.defer(() => cgroups.remove());
  const hosts = await startHosts(site, started);
  signal.throwIfAborted();
  await nameHosts(hosts.placed, join(runDir, 'hosts'));
  if (config.registry) await startRegistry(registryOptions(site, hosts.registry));
  site.opened(await serveEgressProxy(join(runDir, 'proxy.sock')));
  const etcd = await keepEtcd(site, hosts.etcd);
  signal.throwIfAborted();
  const joining = await keepControllers(site, hosts.controllers, etcd);
  const { port, kubeconfig } = await forwardControllers(site, hosts.controllers);
  signal.throwIfAborted();
  const keep = (host: VirtualHost) =>
    keepAgent(site, host, [...joining, '--cgroup-parent', cgroups.of(host.name)]);
  await Promise.all(hosts.nodes.map(keep));
  await keepRelays(site, hosts.nodes);
  signal.throwIfAborted();
  const all = started.move();
  return {
    /** On 127.0.0.1. */
    port,
    kubeconfig,
    /** Which port of this machine leads to which Service. */
    published,
    /** Resolves when a part that can't be missed has ended by itself; says which. */
    lost: hosts.lost,
    /** The first process of each host, by the host's name: `nsenter --target PID` leads into it. */
    hosts: Object.fromEntries([hosts.bridge, ...hosts.placed].map(({ name, pid }) => [name, pid])),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

export type DevCluster = Awaited<ReturnType<typeof startDevCluster>>;

/** `placed` are all but the switch. */
async function startHosts(config: Site, undo: AsyncDisposableStack) {
  const started: VirtualHost[] = [];
  undo.defer(() => stopHosts(started, config.clock));
  const start = async (name: string, address?: string) => {
    const host = await startVirtualHost(name, address);
    started.push(host);
    return host;
  };
  const several = (count: number, nameOf: (n: number) => string, at: (n: number) => string) =>
    Promise.all(Array.from({ length: count }, (_, i) => start(nameOf(i + 1), at(i + 1))));
  const [bridge, registry, controllers, etcd, nodes] = await Promise.all([
    start('switch'),
    start('registry', network.registry),
    several(config.controllers, (n) => `controller${n === 1 ? '' : n}`, network.controllerAddress),
    several(config.etcd, (n) => `etcd${n}`, network.etcdAddress),
    several(config.nodes, (n) => `host${n}`, network.hostAddress),
  ]);
  const placed = [...controllers, registry, ...etcd, ...nodes];
  await connectHosts(bridge, placed);
  // Of several controllers any may be killed.
  const needed = [bridge, ...(controllers.length === 1 ? controllers : [])];
  const lost = Promise.race(
    needed.map(({ name, ended }) => ended.then(() => `the host "${name}" has ended`)),
  );
  return { bridge, registry, controllers, etcd, nodes, placed, lost };
}

/** Controllers in order, if they can; then everything at once. */
async function stopHosts(hosts: readonly VirtualHost[], clock: Clock): Promise<void> {
  const limit = { clock, ms: 3000, what: 'ending the controllers' };
  const controllers = hosts.filter(({ name }) => name.startsWith('controller'));
  await Promise.allSettled(controllers.map((host) => withDeadline(limit, () => host.terminate())));
  await Promise.all(hosts.map((host) => host.stop()));
}

async function nameHosts(hosts: readonly VirtualHost[], path: string): Promise<void> {
  const lines = hosts.map(({ name, address }) => `${address} ${name}\n`);
  await writeFile(path, `127.0.0.1 localhost\n${lines.join('')}`);
  await Promise.all(hosts.map((host) => host.exec(['mount', '--bind', path, '/etc/hosts'])));
}

const registryOptions = ({ dataDir, cacheDir }: Site, host: VirtualHost) => ({
  address: '0.0.0.0',
  port: 5000,
  dataDir: join(dataDir, 'registry'),
  cacheDir,
  spawn: (command: string, args: readonly string[], options: object) =>
    host.run([command, ...args], options),
});

async function keepAgent(site: Site, host: VirtualHost, flags: readonly string[]): Promise<void> {
  const { name, address } = host;
  const directory = await stateDirectory(site.dataDir, host);
  await chmod(directory, 0o700);
  const command = orcCommand(
    'agent',
    ...['--node-name', name, '--address', address],
    ...['--data-dir', directory, '--run-dir', join(site.runDir, name)],
    ...['--insecure-registry', 'registry:5000'],
    ...['--registry-proxy', join(site.runDir, 'proxy.sock')],
    ...site.runtimeHandler.flatMap((handler) => ['--runtime-handler', handler]),
    ...['--log-level', site.logLevel],
    ...flags,
  );
  await keepRole({ host, command }, site);
}

function close(server: Server): void {
  server.close();
  if (server instanceof HttpServer) server.closeAllConnections();
}
