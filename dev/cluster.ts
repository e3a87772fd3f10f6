import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { Server } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { errorChain } from '../base/error-chain.ts';
import { takeCgroupParent } from './cgroup-parent.ts';
import type { DevConfig } from './config.ts';
import { serveEgressProxy } from './egress-proxy.ts';
import { forwardPort } from './forward.ts';
import { startRegistry } from './images/registry.ts';
import { createJoinToken } from './join-token.ts';
import { makeRunDir, sweepLeftovers } from './leftovers.ts';
import { keepRole, orcCommand } from './roles.ts';
import { startVirtualHost, type VirtualHost } from './virtual-host.ts';
import { connectHosts, network } from './virtual-network.ts';

export interface DevCluster {
  /** On 127.0.0.1. */
  readonly port: number;
  readonly kubeconfig: string;
  /** The first process of each host, by the host's name: `nsenter --target PID` leads into it. */
  readonly hosts: Readonly<Record<string, number>>;
  /** Resolves when a part that can't be missed has ended by itself; says which. */
  readonly lost: Promise<string>;
  /** Takes everything down; each step runs even if one before it failed. */
  stop(): Promise<void>;
}

export type ClusterConfig = DevConfig & { readonly dataDir: string };

interface Surroundings {
  readonly clock: Clock;
  /** Aborted: no further step is begun, and what there is is taken down. */
  readonly signal: AbortSignal;
}

/** Undo steps, last first. */
interface Undo {
  push(step: () => Promise<unknown>): void;
  all(): Promise<void>;
}

export async function startDevCluster(
  config: ClusterConfig,
  { clock, signal }: Surroundings,
): Promise<DevCluster> {
  const undo = undoSteps();
  try {
    await sweepLeftovers(clock);
    const { name, path: runDir } = await makeRunDir();
    undo.push(() => rm(runDir, { recursive: true, force: true }));
    const cgroups = await takeCgroupParent(name, clock);
    undo.push(() => cgroups.remove());
    const hosts = await startHosts(config, undo);
    signal.throwIfAborted();
    await writeFile(join(runDir, 'hosts'), hostsFile(config.nodes));
    await Promise.all(hosts.all.map((host) => bindHostsFile(host, runDir)));
    if (config.registry) await startRegistry(registryOptions(config, hosts.registry));
    const proxy = await serveEgressProxy(join(runDir, 'proxy.sock'));
    undo.push(() => close(proxy));
    await keepController(config, { runDir, host: hosts.controller, clock });
    const forward = await forwardPort(config.port, join(runDir, 'api.sock'));
    undo.push(() => close(forward));
    const port = portOf(forward);
    const kubeconfig = await adminKubeconfig(config, port);
    signal.throwIfAborted();
    const token = await createJoinToken(
      join(config.dataDir, 'controller/pki'),
      join(runDir, 'api.sock'),
    );
    await Promise.all(
      hosts.nodes.map((host, i) =>
        keepAgent(config, {
          host,
          number: i + 1,
          runDir,
          token,
          cgroupParent: cgroups.of(host.name),
          clock,
        }),
      ),
    );
    signal.throwIfAborted();
    return {
      port,
      kubeconfig,
      hosts: Object.fromEntries(hosts.all.map(({ name, pid }) => [name, pid])),
      lost: hosts.controller.ended.then(() => "the controller's host has ended"),
      stop: () => undo.all(),
    };
  } catch (error) {
    await undo.all();
    throw error;
  }
}

interface Hosts {
  readonly controller: VirtualHost;
  readonly registry: VirtualHost;
  readonly nodes: readonly VirtualHost[];
  readonly all: readonly VirtualHost[];
}

async function startHosts({ nodes }: ClusterConfig, undo: Undo): Promise<Hosts> {
  const names = Array.from({ length: nodes }, (_, i) => `host${i + 1}`);
  const start = async (name: string) => {
    const host = await startVirtualHost(name);
    undo.push(() => host.stop());
    return host;
  };
  const [controller, registry, ...rest] = await Promise.all(
    ['controller', 'registry', ...names].map(start),
  );
  if (!controller || !registry) throw new Error('no hosts');
  await connectHosts(controller, [
    { host: registry, address: network.registry },
    ...rest.map((host, i) => ({ host, address: network.hostAddress(i + 1) })),
  ]);
  return { controller, registry, nodes: rest, all: [controller, registry, ...rest] };
}

function hostsFile(nodes: number): string {
  const hosts = Array.from(
    { length: nodes },
    (_, i) => `${network.hostAddress(i + 1)} host${i + 1}`,
  );
  return [
    '127.0.0.1 localhost',
    `${network.controller} controller`,
    `${network.registry} registry`,
    ...hosts,
    '',
  ].join('\n');
}

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

async function keepController(
  { dataDir, logLevel }: ClusterConfig,
  on: { readonly runDir: string; readonly host: VirtualHost; readonly clock: Clock },
): Promise<void> {
  const directory = join(dataDir, 'controller');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const command = orcCommand(
    'controller',
    ...['--data-dir', directory, '--api-socket', join(on.runDir, 'api.sock')],
    ...[
      '--api-address',
      `${network.controller}:6443`,
      '--agent-address',
      `${network.controller}:6444`,
    ],
    ...['--server-name', '127.0.0.1', '--server-name', 'localhost', '--log-level', logLevel],
  );
  const logPath = join(dataDir, 'controller.log');
  await keepRole({ host: on.host, name: 'controller', command, logPath }, supervision(on.clock));
}

/** The controller's own, with the address at which this machine reaches it. */
async function adminKubeconfig({ dataDir }: ClusterConfig, port: number): Promise<string> {
  const text = await readFile(join(dataDir, 'controller/admin.kubeconfig'), 'utf8');
  return text.replace(/server: .*/, `server: https://127.0.0.1:${port}`);
}

async function keepAgent(
  { dataDir, logLevel }: ClusterConfig,
  on: {
    readonly host: VirtualHost;
    readonly number: number;
    readonly runDir: string;
    readonly token: string;
    readonly cgroupParent: string;
    readonly clock: Clock;
  },
): Promise<void> {
  const { name } = on.host;
  const directory = join(dataDir, name);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const command = orcCommand(
    'agent',
    ...['--node-name', name, '--address', network.hostAddress(on.number)],
    ...['--data-dir', directory, '--run-dir', join(on.runDir, name)],
    ...['--join', `https://${network.controller}:6443`, '--token', on.token],
    ...['--controller', `${network.controller}:6444`, '--cgroup-parent', on.cgroupParent],
    ...['--insecure-registry', 'registry:5000', '--registry-proxy', join(on.runDir, 'proxy.sock')],
    ...['--log-level', logLevel],
  );
  const logPath = join(dataDir, `${name}.log`);
  await keepRole({ host: on.host, name, command, logPath }, supervision(on.clock));
}

const supervision = (clock: Clock) => ({
  clock,
  log: (line: string) => console.error(`orc dev: ${line}`),
});

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function close(server: Server): Promise<void> {
  server.close();
  if ('closeAllConnections' in server && typeof server.closeAllConnections === 'function') {
    server.closeAllConnections();
  }
}

function undoSteps(): Undo {
  const steps: (() => Promise<unknown>)[] = [];
  return {
    push: (step) => void steps.push(step),
    async all() {
      for (const step of steps.splice(0).reverse()) {
        try {
          await step();
        } catch (error) {
          console.error(`orc dev: taking down: ${errorChain(error)}`);
        }
      }
    },
  };
}
