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
  readonly names: ReadonlyMap<string, DnsRecords>;
  /** By address: what its reverse name leads to. */
  readonly pointers: ReadonlyMap<string, readonly string[]>;
}

/** All empty for a name that exists only because others end in it. */
export interface DnsRecords {
  readonly addresses: readonly string[];
  readonly servers: readonly DnsServerRecord[];
  readonly alias: string | undefined;
  readonly texts: readonly string[];
}

interface DnsServerRecord {
  readonly target: string;
  readonly port: number;
}

export function dnsZone(table: NetworkTable): DnsZone {
  const domain = table.clusterDomain.toLowerCase();
  const builder = zoneBuilder(domain);
  builder.at(`dns-version.${domain}`).texts.push('1.1.0');
  builder.at(`svc.${domain}`);
  builder.at(`pod.${domain}`);
  for (const service of table.services) addService(builder, service);
  const { names, pointers } = builder;
  return { domain, podCidr: table.clusterPodCidr, serviceCidr: table.serviceCidr, names, pointers };
}

interface MutableRecords {
  addresses: string[];
  servers: DnsServerRecord[];
  alias: string | undefined;
  texts: string[];
}

type ZoneBuilder = ReturnType<typeof zoneBuilder>;

function zoneBuilder(domain: string) {
  const names = new Map<string, MutableRecords>();
  const pointers = new Map<string, string[]>();
  /** The name's records, made with all of the names above it if they aren't there. */
  const at = (name: string): MutableRecords => {
    const found = names.get(name);
    if (found) return found;
    const made: MutableRecords = { addresses: [], servers: [], alias: undefined, texts: [] };
    names.set(name, made);
    if (name !== domain) at(name.slice(name.indexOf('.') + 1));
    return made;
  };
  const point = (ip: string, name: string) => {
    const found = pointers.get(ip);
    if (!found) pointers.set(ip, [name]);
    else if (!found.includes(name)) found.push(name);
  };
  return { domain, names, pointers, at, point };
}

function addService(zone: ZoneBuilder, service: ServiceEntry): void {
  const name = `${service.name}.${service.namespace}.svc.${zone.domain}`;
  if (service.externalName !== undefined) {
    zone.at(name).alias = service.externalName.replace(/\.$/, '').toLowerCase();
  } else if (service.clusterIp !== undefined) {
    addClusterIp(zone, service, { name, ip: service.clusterIp });
  } else {
    addHeadless(zone, service, name);
  }
}

function addClusterIp(zone: ZoneBuilder, service: ServiceEntry, at: { name: string; ip: string }) {
  zone.at(at.name).addresses.push(at.ip);
  zone.point(at.ip, at.name);
  for (const port of service.ports)
    if (port.name)
      zone.at(portName(port, at.name)).servers.push({ target: at.name, port: port.port });
}

function addHeadless(zone: ZoneBuilder, service: ServiceEntry, name: string): void {
  const records = zone.at(name);
  const byIp = new Map<string, string>();
  for (const { ip, hostname } of service.addresses) {
    const own = `${hostname ?? ip.replaceAll('.', '-')}.${name}`.toLowerCase();
    byIp.set(ip, own);
    records.addresses.push(ip);
    zone.at(own).addresses.push(ip);
    zone.point(ip, own);
  }
  for (const port of service.ports) {
    if (!port.name) continue;
    const servers = zone.at(portName(port, name)).servers;
    for (const { ip, port: number } of port.endpoints)
      servers.push({ target: byIp.get(ip) ?? name, port: number });
  }
}

function portName(port: { name: string; protocol: string }, service: string): string {
  return `_${port.name}._${port.protocol}.${service}`.toLowerCase();
}
