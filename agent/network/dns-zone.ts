import type { NetworkTable, ServiceEntry } from '../ports.ts';

/**
 * The cluster's names, indexed for answering. Source: Kubernetes' "DNS-Based Service Discovery", 1.1.0.
 * All names are in lower case, without a final dot.
 */
export interface DnsZone {
  /** "cluster.local" */
  readonly domain: string;
  readonly podCidr: string;
  readonly serviceCidr: string;
  /** Reverse names among them. Nothing but a CNAME for one that stands for another; nothing at all for one that
   * exists only because others end in it. */
  readonly names: ReadonlyMap<string, readonly DnsData[]>;
}

/** What a name has. */
export type DnsData =
  | { readonly type: 'A' | 'CNAME' | 'PTR' | 'TXT'; readonly data: string }
  | { readonly type: 'SRV'; readonly data: { readonly target: string; readonly port: number } };

export function dnsZone(table: NetworkTable): DnsZone {
  const domain = table.clusterDomain.toLowerCase();
  const zone = zoneBuilder(domain);
  zone.at(`dns-version.${domain}`).push({ type: 'TXT', data: '1.1.0' });
  zone.at(`svc.${domain}`);
  zone.at(`pod.${domain}`);
  for (const service of table.services) addService(zone, service);
  const { names } = zone;
  return { domain, podCidr: table.clusterPodCidr, serviceCidr: table.serviceCidr, names };
}

type ZoneBuilder = ReturnType<typeof zoneBuilder>;

function zoneBuilder(domain: string) {
  const names = new Map<string, DnsData[]>();
  /** The name's records, made with all of the names above it if they aren't there. */
  const at = (name: string): DnsData[] => {
    if (name !== domain && !names.has(name)) at(name.slice(name.indexOf('.') + 1));
    return names.getOrInsertComputed(name, () => []);
  };
  const point = (ip: string, data: string) => {
    const reverse = `${ip.split('.').reverse().join('.')}.in-addr.arpa`;
    const known = names.getOrInsertComputed(reverse, () => []);
    if (!known.some((pointer) => pointer.data === data)) known.push({ type: 'PTR', data });
  };
  return { domain, names, at, point };
}

function addService(zone: ZoneBuilder, service: ServiceEntry): void {
  const name = `${service.name}.${service.namespace}.svc.${zone.domain}`;
  if (service.externalName !== undefined) {
    const data = service.externalName.replace(/\.$/, '').toLowerCase();
    zone.at(name).push({ type: 'CNAME', data });
  } else if (service.clusterIp !== undefined) {
    addClusterIp(zone, service, { name, ip: service.clusterIp });
  } else {
    addHeadless(zone, service, name);
  }
}

function addClusterIp(zone: ZoneBuilder, service: ServiceEntry, at: { name: string; ip: string }) {
  zone.at(at.name).push({ type: 'A', data: at.ip });
  zone.point(at.ip, at.name);
  for (const { port, ...named } of service.ports)
    if (named.name)
      zone.at(portName(named, at.name)).push({ type: 'SRV', data: { target: at.name, port } });
}

function addHeadless(zone: ZoneBuilder, service: ServiceEntry, name: string): void {
  const records = zone.at(name);
  const byIp = new Map<string, string>();
  for (const { ip, hostname } of service.addresses) {
    const own = `${hostname ?? ip.replaceAll('.', '-')}.${name}`.toLowerCase();
    byIp.set(ip, own);
    for (const at of [records, zone.at(own)]) at.push({ type: 'A', data: ip });
    zone.point(ip, own);
  }
  for (const named of service.ports.filter((port) => port.name))
    for (const { ip, port } of named.endpoints) {
      const data = { target: byIp.get(ip) ?? name, port };
      zone.at(portName(named, name)).push({ type: 'SRV', data });
    }
}

const portName = (port: { name: string; protocol: string }, service: string): string =>
  `_${port.name}._${port.protocol}.${service}`.toLowerCase();
