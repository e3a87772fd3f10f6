import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ensurePackages } from './images/packages.ts';
import { keepRole } from './roles.ts';
import type { VirtualHost } from './virtual-host.ts';

/** A member of an etcd cluster; where it listens is IPv4 and a port. */
export interface EtcdMember {
  readonly name: string;
  readonly dataDir: string;
  readonly client: string;
  readonly peer: string;
}

export interface KeepEtcdOptions {
  readonly hosts: readonly { readonly host: VirtualHost; readonly address: string }[];
  /** State and logs are in a directory and a file below it, named for the host. */
  readonly dataDir: string;
  /** See {@link findEtcd}. */
  readonly binary: string;
  readonly around: Parameters<typeof keepRole>[1];
}

/** Debian's etcd, fetched if need be; see ensurePackages. Resolves to its path. */
export async function findEtcd(cacheDir: string): Promise<string> {
  const [server] = await ensurePackages(['etcd-server'], cacheDir);
  return join(server?.directory ?? '', 'usr/bin/etcd');
}

/**
 * One member in each host, started again whenever it ends. Resolves to the URLs for clients when the cluster answers;
 * ends with its hosts.
 */
export async function keepEtcd(options: KeepEtcdOptions): Promise<readonly string[]> {
  const { hosts, dataDir, binary, around } = options;
  const members = hosts.map(({ host, address }) => ({
    host,
    name: host.name,
    dataDir: join(dataDir, host.name),
    client: `${address}:2379`,
    peer: `${address}:2380`,
  }));
  const keep = async ({ host, ...member }: EtcdMember & { readonly host: VirtualHost }) => {
    await mkdir(member.dataDir, { recursive: true, mode: 0o700 });
    const command = [binary, ...etcdArgs(member, members)];
    const logPath = join(dataDir, `${member.name}.log`);
    await keepRole({ host, name: member.name, command, logPath, readyLine: etcdReady }, around);
  };
  await Promise.all(members.map(keep));
  return members.map(({ client }) => `http://${client}`);
}

/** It says so once the cluster has a leader. */
export const etcdReady = /serving client traffic/;

/** Its log goes to standard error, and to standard output for {@link etcdReady}. */
export function etcdArgs(member: EtcdMember, all: readonly EtcdMember[]): readonly string[] {
  const { name, dataDir, client, peer } = member;
  return [
    ...['--name', name, '--data-dir', dataDir],
    ...['--listen-client-urls', `http://${client}`, '--advertise-client-urls', `http://${client}`],
    ...['--listen-peer-urls', `http://${peer}`, '--initial-advertise-peer-urls', `http://${peer}`],
    ...['--initial-cluster', all.map((one) => `${one.name}=http://${one.peer}`).join(',')],
    ...['--logger', 'zap', '--log-level', 'info', '--log-outputs', 'stdout,stderr'],
  ];
}
