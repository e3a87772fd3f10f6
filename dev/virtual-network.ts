import type { VirtualHost } from './virtual-host.ts';

/** The virtual switch's network; its first addresses are the controller's and the registry's. */
export const network = {
  prefix: 24,
  controller: '172.30.0.1',
  registry: '172.30.0.2',
  /** host1 is .11 */
  hostAddress: (number: number) => `172.30.0.${10 + number}`,
  /** etcd1 is .201 */
  etcdAddress: (number: number) => `172.30.0.${200 + number}`,
};

/**
 * Makes the controller's host the switch: a bridge there, and for each other host a link with its address. Runs inside
 * the hosts' network namespaces only; both ends of a link go with the namespace that they are in.
 */
export async function connectHosts(
  controller: VirtualHost,
  others: readonly { readonly host: VirtualHost; readonly address: string }[],
): Promise<void> {
  await ip(controller, [
    'link add switch type bridge',
    `addr add ${network.controller}/${network.prefix} dev switch`,
    'link set switch up',
    ...others.flatMap(({ host }, i) => [
      `link add port${i} type veth peer name eth0 netns ${host.pid}`,
      `link set port${i} master switch`,
      `link set port${i} up`,
    ]),
  ]);
  await Promise.all(
    others.map(({ host, address }) =>
      ip(host, [`addr add ${address}/${network.prefix} dev eth0`, 'link set eth0 up']),
    ),
  );
}

const ip = (host: VirtualHost, commands: readonly string[]): Promise<void> =>
  host.execInNetwork(['ip', '-batch', '-'], `${commands.join('\n')}\n`);
