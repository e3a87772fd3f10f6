import { isIPv4 } from 'node:net';
import { formatIpv4, parseIpv4Cidr } from '../../base/ipv4.ts';
import type { NetworkTable, ServiceEntry } from '../ports.ts';
import { NetworkError } from './network-error.ts';

/**
 * Throws NetworkError InvalidTable for what would become a wrong rule or route. Names and addresses become parts of
 * commands: the API has checked them, and a mistake there must end here.
 */
export function checkTable(table: NetworkTable): void {
  const { podCidr, clusterPodCidr, serviceCidr, nodes, services, dnsServiceIp } = table;
  for (const cidr of [podCidr, clusterPodCidr, serviceCidr, ...nodes.map((n) => n.podCidr)])
    if (!isCidr(cidr)) refuse(`"${cidr}" is no IPv4 CIDR`);
  const addresses = [
    dnsServiceIp,
    ...nodes.map((node) => node.address),
    ...services.flatMap(addressesOf),
  ];
  for (const address of addresses) if (!isIPv4(address)) refuse(`"${address}" is no IPv4 address`);
  for (const port of services.flatMap(portsOf))
    if (!Number.isInteger(port) || port < 1 || port > 65_535) refuse(`${port} is no port`);
  for (const { namespace, name } of services)
    for (const word of [namespace, name])
      if (!dnsLabel.test(word)) refuse(`"${word}" is no DNS label`);
}

const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Without host bits: the kernel refuses a route that has some. */
function isCidr(text: string): boolean {
  const cidr = parseIpv4Cidr(text);
  return cidr !== undefined && `${formatIpv4(cidr.first)}/${cidr.prefix}` === text;
}

const portsOf = (service: ServiceEntry): readonly number[] =>
  service.ports.flatMap(({ port, nodePort = port, endpoints }) => [
    ...[port, nodePort],
    ...endpoints.map((each) => each.port),
  ]);

function addressesOf(service: ServiceEntry): readonly string[] {
  const endpoints = service.ports.flatMap((port) => port.endpoints.map(({ ip }) => ip));
  const own = service.clusterIp === undefined ? [] : [service.clusterIp];
  return [...own, ...endpoints, ...service.addresses.map(({ ip }) => ip)];
}

function refuse(detail: string): never {
  throw new NetworkError('InvalidTable', { detail });
}

/** A node knows itself in the table by its pod CIDR. */
export const ownAddress = (table: NetworkTable): string | undefined =>
  table.nodes.find((node) => node.podCidr === table.podCidr)?.address;
