import type { VirtualHost } from './virtual-host.ts';

/** The virtual switch's network. Of several hosts of a kind the first is number 1. */
export const network = {
  prefix: 24,
  registry: '172.30.0.2',
  /** .1, then .3 and on */
  controllerAddress: (number: number) => `172.30.0.${number === 1 ? 1 : 1 + number}`,
  /** host1 is .11 */
  hostAddress: (number: number) => `172.30.0.${10 + number}`,
  /** The controllers' defaults: every node's DNS, and what its names end in. */
  dns: '10.96.0.10',
  clusterDomain: 'cluster.local',
  /** etcd1 is .201 */
  etcdAddress: (number: number) => `172.30.0.${200 + number}`,
};

/**
 * Makes a host the switch: a bridge there, and for each other host a link of its name. Runs inside the hosts' network
 * namespaces only; both ends of a link go with the namespace that they are in.
 */
export async function connectHosts(bridge: VirtualHost, others: readonly VirtualHost[]) {
  await ip(bridge, [
    'link add switch type bridge',
    'link set switch up',
    ...others.flatMap(({ name, pid }) => [
      `link add ${name} type veth peer name eth0 netns ${pid}`,
      `link set ${name} master switch`,
      `link set ${name} up`,
    ]),
  ]);
  await Promise.all(
    others.map((host) =>
      ip(host, [`addr add ${host.address}/${network.prefix} dev eth0`, 'link set eth0 up']),
    ),
  );
}

const ip = (host: VirtualHost, commands: readonly string[]): Promise<void> =>
  host.execInNetwork(['ip', '-batch', '-'], `${commands.join('\n')}\n`);
