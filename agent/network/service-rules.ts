import type { NetworkTable, ServiceEntry, ServicePortEntry } from '../ports.ts';
import type { OpenHostPort } from './address-book.ts';
import { podGateway, podLinkPrefix } from './pod-link.ts';
import type { RuleChain, RuleSet, RuleTable } from './rule-table.ts';

/**
 * The node's rules. Services are found with one lookup by address, protocol and port, however many there are; each
 * port of a service has a chain of its own, so that a change of one touches no other.
 *
 * The table has passed `checkTable`. `pods` maps the host end of each pod's link to the pod's address.
 */
export function serviceRules(
  table: NetworkTable,
  pods: ReadonlyMap<string, string>,
  hostPorts: readonly OpenHostPort[],
): RuleTable {
  const podElements = [...pods].map(([link, ip]) => [podElement(link, ip), ''] as const);
  const verdicts = { services: new Map(), 'host-ports': new Map(), 'node-ports': new Map() };
  const rules: Rules = {
    verdicts,
    sets: new Map([
      [podSet, { kind: 'set', definition: podSetDefinition, elements: new Map(podElements) }],
      ['services', verdictMap(`ipv4_addr . ${protocolAndPort}`, verdicts.services)],
      ['host-ports', verdictMap(`ipv4_addr . ${protocolAndPort}`, verdicts['host-ports'])],
      ['node-ports', verdictMap(protocolAndPort, verdicts['node-ports'])],
    ]),
    chains: new Map(baseChains(table)),
  };
  for (const service of table.services)
    for (const port of service.ports) addServicePort(rules, service, port);
  for (const open of hostPorts) addHostPort(rules, open);
  return { sets: rules.sets, chains: rules.chains };
}

interface Rules {
  readonly sets: Map<string, RuleSet>;
  readonly chains: Map<string, RuleChain>;
  /** Elements of the maps that lead to chains. Ports of the node's own addresses are in the latter two. */
  readonly verdicts: Readonly<
    Record<'services' | 'host-ports' | 'node-ports', Map<string, string>>
  >;
}

const verdictMap = (key: string, elements: ReadonlyMap<string, string>): RuleSet => ({
  kind: 'map',
  definition: `type ${key} : verdict;`,
  elements,
});

/** Of the set that says which source address a pod's link may carry. */
export const podSet = 'pods';

export const podElement = (link: string, ip: string): string => `${link} . ${ip}`;

const podSetDefinition = 'type ifname . ipv4_addr;';
const podLink = `"${podLinkPrefix}*"`;
const toService = 'ip daddr . meta l4proto . th dport vmap @services';
const protocolAndPort = 'inet_proto . inet_service';

const ownAddressRules = [
  'ip daddr . meta l4proto . th dport vmap @host-ports',
  'meta l4proto . th dport vmap @node-ports',
];

/** Set on what comes by a node port: Kubernetes' own bit for it. */
const fromNodePort = '0x4000';

function baseChains(table: NetworkTable): readonly [string, RuleChain][] {
  const noEndpoint = `ip daddr ${table.serviceCidr} ip daddr != ${table.dnsServiceIp}`;
  // Not by loopback addresses: their packets could leave the host only with route_localnet, which lets neighbours in
  // to what listens there (CVE-2020-8558). Nor by the DNS server's, which is this node's own as well.
  const ownAddress = `ip daddr != { 127.0.0.0/8, ${table.serviceCidr} } fib daddr type local`;
  const translations = [toService, `${ownAddress} goto own-address`];
  const rejections = [
    `${noEndpoint} meta l4proto tcp reject with tcp reset`,
    `${noEndpoint} reject with icmp type port-unreachable`,
  ];
  const chain = (name: string, hook: string, rules: readonly string[]): [string, RuleChain] => [
    name,
    { hook: `type ${hook}`, rules },
  ];
  return [
    // Before connection tracking: what a pod may not send costs nothing further.
    chain('pod-guard', 'filter hook prerouting priority raw', [
      `iifname ${podLink} iifname . ip saddr != @${podSet} drop`,
      `iifname != ${podLink} ip saddr ${table.podCidr} drop`,
    ]),
    chain('services-in', 'nat hook prerouting priority dstnat', translations),
    chain('services-out', 'nat hook output priority -100', translations),
    ['own-address', plain(ownAddressRules)],
    // What is still bound for the services' addresses after that has no endpoint: refused, not left to time out.
    chain('refuse-in', 'filter hook prerouting priority filter', rejections),
    chain('refuse-out', 'filter hook output priority filter', rejections),
    chain('pods-out', 'nat hook postrouting priority srcnat', sourceRules(table)),
  ];
}

/**
 * The first: a pod that reached itself through a service would answer itself directly, past the translation. The second:
 * what a node port leads to another node must come back by this one. To a pod of this node clients keep their address.
 */
function sourceRules(table: NetworkTable): readonly string[] {
  const inside = [table.clusterPodCidr, ...table.nodes.map((node) => node.address)].join(', ');
  return [
    `ct status dnat oifname . ip saddr @${podSet} snat ip to ${podGateway}`,
    `meta mark & ${fromNodePort} == ${fromNodePort} oifname != ${podLink} masquerade fully-random`,
    `ip saddr ${table.podCidr} ip daddr != { ${inside} } oifname != ${podLink} masquerade fully-random`,
  ];
}

/** Nothing for what needs no rule: headless, or without a ready endpoint. */
function addServicePort(rules: Rules, service: ServiceEntry, port: ServicePortEntry): void {
  const { clusterIp, sessionAffinityMs } = service;
  if (clusterIp === undefined || port.endpoints.length === 0) return;
  const protocol = protocolOf(port);
  const path = `${service.namespace}/${service.name}/${protocol}/${port.port}`;
  const name = `service/${path}`;
  rules.verdicts.services.set(`${clusterIp} . ${protocol} . ${port.port}`, `goto ${name}`);
  if (sessionAffinityMs === undefined) rules.chains.set(name, spread(port));
  else
    addAffinity(rules, port, { path, seconds: Math.max(1, Math.round(sessionAffinityMs / 1000)) });
  if (!port.nodePort) return;
  const marking = [`meta mark set meta mark or ${fromNodePort}`, `goto ${name}`];
  rules.chains.set(`node-port/${path}`, plain(marking));
  rules.verdicts['node-ports'].set(`${protocol} . ${port.nodePort}`, `goto node-port/${path}`);
}

/** Packets keep their source: the answers pass this node anyway. */
function addHostPort({ chains, verdicts }: Rules, open: OpenHostPort): void {
  const { hostIp, hostPort, podIp, containerPort } = open;
  const protocol = protocolOf(open);
  const name = `host-port/${hostIp ?? 'any'}/${protocol}/${hostPort}`;
  const key = `${protocol} . ${hostPort}`;
  if (hostIp === undefined) verdicts['node-ports'].set(key, `goto ${name}`);
  else verdicts['host-ports'].set(`${hostIp} . ${key}`, `goto ${name}`);
  chains.set(name, plain([`meta l4proto ${protocol} dnat ip to ${podIp}:${containerPort}`]));
}

const protocolOf = (port: { readonly protocol: 'TCP' | 'UDP' }) => port.protocol.toLowerCase();

/** A chain that others lead to. */
const plain = (rules: readonly string[]): RuleChain => ({ hook: undefined, rules });

/** Each connection to an endpoint by chance. */
function spread(port: ServicePortEntry): RuleChain {
  const { endpoints } = port;
  const choices = endpoints.map((each, i) => `${i} : ${each.ip} . ${each.port}`).join(', ');
  const to = `dnat ip addr . port to numgen random mod ${endpoints.length} map { ${choices} }`;
  return plain([`meta l4proto ${protocolOf(port)} ${to}`]);
}

/** A set per endpoint remembers its clients; it goes with the endpoint, and so does their memory of it. */
function addAffinity(
  rules: Rules,
  port: ServicePortEntry,
  { path, seconds }: { readonly path: string; readonly seconds: number },
): void {
  const definition = `type ipv4_addr; flags dynamic, timeout; timeout ${seconds}s;`;
  const endpoints = port.endpoints.map((endpoint) => {
    const place = `${path}/${endpoint.ip}/${endpoint.port}/${seconds}s`;
    const to = `meta l4proto ${protocolOf(port)} dnat ip to ${endpoint.ip}:${endpoint.port}`;
    return { to, chain: `endpoint/${place}`, set: `clients/${place}` };
  });
  for (const { to, chain, set } of endpoints) {
    rules.sets.set(set, { kind: 'set', definition, elements: undefined });
    rules.chains.set(chain, plain([`update @${set} { ip saddr }`, to]));
  }
  const choices = endpoints.map(({ chain }, i) => `${i} : goto ${chain}`).join(', ');
  const remembered = endpoints.map(({ set, chain }) => `ip saddr @${set} goto ${chain}`);
  const pick = `numgen random mod ${endpoints.length} vmap { ${choices} }`;
  rules.chains.set(`service/${path}`, plain([...remembered, pick]));
}
