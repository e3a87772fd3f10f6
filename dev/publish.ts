import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join as joinPath } from 'node:path';
import { terminated } from '../base/termination.ts';
import type { Publication } from './config.ts';
import { forwardPort, join } from './forward.ts';
import { keepRole, orcCommand, type Site } from './roles.ts';
import type { VirtualHost } from './virtual-host.ts';
import { network } from './virtual-network.ts';

/**
 * Listens on this machine; each connection goes by a unix socket to a relay in one of the hosts, and from there to the
 * Service. Two hosts have one, so that either may be killed. Gives what leads where, for people.
 */
export function publishServices(site: Site): Promise<readonly string[]> {
  const listen = async (wanted: Publication, i: number) => {
    const sockets = relays.map((relay) => socketOf(site, relay, i));
    const server = await forwardPort(wanted.port, sockets, wanted.address).catch((cause) => {
      throw new Error(`--publish: no port for ${wanted.service}`, { cause });
    });
    site.opened(server);
    const { address, port } = server.address() as AddressInfo;
    return `${address}:${port} → ${wanted.service}:${wanted.servicePort}`;
  };
  return Promise.all(site.publish.map(listen));
}

export async function keepRelays(site: Site, hosts: readonly VirtualHost[]): Promise<void> {
  if (site.publish.length === 0) return;
  const keep = (host: VirtualHost, relay: number) => {
    const routes = site.publish.map(
      ({ service, servicePort }, i) => `${socketOf(site, relay, i)}=${service}:${servicePort}`,
    );
    const command = orcCommand('dev', 'relay', ...routes);
    return keepRole({ host, name: `${host.name}-relay`, command }, site);
  };
  await Promise.all(hosts.slice(0, relays.length).map(keep));
}

const socketOf = ({ runDir }: Site, relay: number, i: number) =>
  joinPath(runDir, `publish${relay}-${i}.sock`);

const relays = [0, 1];

/** `orc dev relay SOCKET=SERVICE:PORT …`, inside a host. */
export async function runRelay(routes: readonly string[]): Promise<number> {
  for (const route of routes) {
    const [, path = '', service, port] = /^(.+)=(.+):(\d+)$/.exec(route) ?? [];
    const target = { name: `${service}.svc.${network.clusterDomain}`, port: Number(port) };
    await rm(path, { force: true });
    const server = createServer({ allowHalfOpen: true }, (inside) => void relay(inside, target));
    await once(server.listen(path), 'listening');
  }
  console.log('ready');
  await terminated();
  return 0;
}

/** Without such a Service the connection is closed. */
async function relay(inside: Socket, target: { name: string; port: number }): Promise<void> {
  inside.on('error', () => inside.destroy());
  const resolver = new Resolver({ timeout: 1000, tries: 3 });
  resolver.setServers([network.dns]);
  const [host] = await resolver.resolve4(target.name).catch(() => []);
  if (host === undefined) inside.destroy();
  else join(inside, connect({ host, port: target.port, allowHalfOpen: true }));
}
