import { mkdir, readFile, writeFile } from 'node:fs/promises';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { about } from '../base/error-chain.ts';
import type { ClusterConfig } from './cluster.ts';
import { forwardPort } from './forward.ts';
import { createJoinToken } from './join-token.ts';
import { keepRole, orcCommand } from './roles.ts';
import type { PlacedHost } from './virtual-network.ts';

export interface KeepControllersOptions {
  readonly hosts: readonly PlacedHost[];
  readonly runDir: string;
  /** URLs of etcd; none: the embedded store, for one controller. */
  readonly etcd: readonly string[];
  readonly around: Parameters<typeof keepRole>[1];
}

export interface Controllers {
  /** "https://host:6443" of the first, to join at. */
  readonly joinUrl: string;
  /** "host:6444" of each. */
  readonly agentAddresses: readonly string[];
  /** Unix sockets of their APIs. */
  readonly sockets: readonly string[];
  /** For one agent or all of them. */
  agentToken(): Promise<string>;
}

/** One in each host, started again whenever it ends. The first makes the cluster, the others join it. */
export async function keepControllers(
  config: ClusterConfig,
  options: KeepControllersOptions,
): Promise<Controllers> {
  const { hosts, runDir } = options;
  const [first, ...others] = hosts;
  if (!first) throw new TypeError('no host for a controller');
  const socketOf = ({ host }: PlacedHost) => join(runDir, `${host.name}.sock`);
  const pki = join(config.dataDir, first.host.name, 'pki');
  const token = (use: 'node' | 'controller') => createJoinToken(pki, socketOf(first), use);
  const joinUrl = `https://${first.address}:6443`;
  const keep = async (placed: PlacedHost, joining: readonly string[]) =>
    keepController(config, options, { placed, socket: socketOf(placed), joining });
  await keep(first, []);
  const keepJoined = async (placed: PlacedHost) =>
    keep(placed, ['--join', joinUrl, '--token', await token('controller')]);
  await Promise.all(others.map(keepJoined));
  return {
    joinUrl,
    agentAddresses: hosts.map(({ address }) => `${address}:6444`),
    sockets: hosts.map(socketOf),
    agentToken: () => token('node'),
  };
}

interface Place {
  readonly placed: PlacedHost;
  readonly socket: string;
  readonly joining: readonly string[];
}

async function keepController(
  { dataDir, logLevel }: ClusterConfig,
  { etcd, around }: KeepControllersOptions,
  { placed, socket, joining }: Place,
): Promise<void> {
  const { host, address } = placed;
  const directory = join(dataDir, host.name);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const command = orcCommand(
    'controller',
    ...['--data-dir', directory, '--api-socket', socket, '--log-level', logLevel],
    ...['--api-address', `${address}:6443`, '--agent-address', `${address}:6444`],
    ...['--server-name', '127.0.0.1', '--server-name', 'localhost'],
    ...etcd.flatMap((url) => ['--etcd', url]),
    ...joining,
  );
  const logPath = join(dataDir, `${host.name}.log`);
  await keepRole({ host, name: host.name, command, logPath }, around);
}

interface Forwarded {
  readonly port: number;
  readonly kubeconfig: string;
  readonly forwards: readonly Server[];
}

/**
 * The administrator's kubeconfigs, with ports of this machine: `kubeconfig` leads to the first controller that listens,
 * and where there are several, `NAME.kubeconfig` to each. Returns what forwards, the first one first.
 */
export async function forwardControllers(
  { dataDir, port }: ClusterConfig,
  {
    hosts,
    sockets,
  }: { readonly hosts: readonly PlacedHost[]; readonly sockets: readonly string[] },
): Promise<Forwarded> {
  const admin = await readFile(join(dataDir, 'controller/admin.kubeconfig'), 'utf8');
  const forward = async (wanted: number, to: readonly string[]) => {
    const server = await about(`--port ${wanted} (0 is any free one)`, forwardPort(wanted, to));
    const address = server.address();
    const given = typeof address === 'object' && address !== null ? address.port : 0;
    const text = admin.replace(/server: .*/, `server: https://127.0.0.1:${given}`);
    return { server, port: given, text };
  };
  const all = await forward(port, sockets);
  const forwards = [all.server];
  if (hosts.length > 1)
    for (const [i, { host }] of hosts.entries()) {
      const { server, text } = await forward(0, sockets.slice(i, i + 1));
      forwards.push(server);
      await writeFile(join(dataDir, `${host.name}.kubeconfig`), text, { mode: 0o600 });
    }
  return { port: all.port, kubeconfig: all.text, forwards };
}
