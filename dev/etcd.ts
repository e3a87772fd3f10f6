import { join } from 'node:path';
import { ensurePackages } from './images/packages.ts';
import { keepRole, type Site, stateDirectory } from './roles.ts';
import type { VirtualHost } from './virtual-host.ts';

/** A member of an etcd cluster; where it listens is IPv4 and a port. */
export type EtcdMember = Readonly<{ name: string; dataDir: string; client: string; peer: string }>;

/** Debian's etcd, fetched if need be; see ensurePackages. Resolves to its path. */
export async function findEtcd(cacheDir: string): Promise<string> {
  const [server] = await ensurePackages(['etcd-server'], cacheDir);
  return join(server?.directory ?? '', 'usr/bin/etcd');
}

/**
 * One member in each host, started again whenever it ends. Resolves to the URLs for clients when the cluster answers;
 * ends with its hosts.
 */
export async function keepEtcd(site: Site, hosts: readonly VirtualHost[]) {
  if (hosts.length === 0) return [];
  const binary = await findEtcd(site.cacheDir);
  const inside = { ...site, dataDir: join(site.dataDir, 'etcd') };
  const members = await Promise.all(
    hosts.map(async (host) => ({
      host,
      name: host.name,
      dataDir: await stateDirectory(inside.dataDir, host),
      client: `${host.address}:2379`,
      peer: `${host.address}:2380`,
    })),
  );
  const keep = ({ host, ...member }: (typeof members)[number]) => {
    const command = [binary, ...etcdArgs(member, members)];
    return keepRole({ host, command, readyLine: etcdReady }, inside);
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
