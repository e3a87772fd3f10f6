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
  const parts = [
    ...table.services.flatMap((service) =>
      service.ports.flatMap((port) => portRules(service, port)),
    ),
    ...hostPorts.map(hostPortRules),
  ];
  const podElements = [...pods].map(([link, ip]) => [podElement(link, ip), ''] as const);
  const sets: [string, RuleSet][] = [
    [podSet, { kind: 'set', definition: podSetDefinition, elements: new Map(podElements) }],
    ...Object.entries(verdictMaps).map(([name, key]): [string, RuleSet] => [
      name,
      {
        kind: 'map',
        definition: `type ${key} : verdict;`,
        elements: new Map(
          parts.flatMap(({ elements }) =>
            elements.flatMap(([map, ...element]) => (map === name ? [element] : [])),
          ),
        ),
      },
    ]),
  ];
  return {
    sets: new Map([...sets, ...parts.flatMap((part) => part.sets)]),
    chains: new Map([...baseChains(table), ...parts.flatMap((part) => part.chains)]),
  };
}

/** Of the set that says which source address a pod's link may carry. */
export const podSet = 'pods';

export function podElement(link: string, ip: string): string {
  return `${link} . ${ip}`;
}

const podSetDefinition = 'type ifname . ipv4_addr;';
const podLink = `"${podLinkPrefix}*"`;
const toService = 'ip daddr . meta l4proto . th dport vmap @services';

/** What each is looked up by. Ports of the node's own addresses are in the latter two. */
const verdictMaps = {
  services: 'ipv4_addr . inet_proto . inet_service',
  'host-ports': 'ipv4_addr . inet_proto . inet_service',
  'node-ports': 'inet_proto . inet_service',
} as const;

type VerdictMap = keyof typeof verdictMaps;

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
    plain('own-address', [
      'ip daddr . meta l4proto . th dport vmap @host-ports',
      'meta l4proto . th dport vmap @node-ports',
    ]),
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

interface PortRules {
  readonly elements: readonly (readonly [map: VerdictMap, key: string, value: string])[];
  readonly chains: readonly [string, RuleChain][];
  readonly sets: readonly [string, RuleSet][];
}

/** [] for what needs no rule: headless, or without a ready endpoint. */
function portRules(service: ServiceEntry, port: ServicePortEntry): readonly PortRules[] {
  if (service.clusterIp === undefined || port.endpoints.length === 0) return [];
  const protocol = port.protocol === 'TCP' ? 'tcp' : 'udp';
  const path = `${service.namespace}/${service.name}/${protocol}/${port.port}`;
  const name = `service/${path}`;
  const elements: PortRules['elements'] = [
    ['services', `${service.clusterIp} . ${protocol} . ${port.port}`, `goto ${name}`],
    ...(port.nodePort ? [nodePortElement(protocol, port.nodePort, `node-port/${path}`)] : []),
  ];
  const rules = [`meta mark set meta mark or ${fromNodePort}`, `goto ${name}`];
  const nodePort = port.nodePort ? [plain(`node-port/${path}`, rules)] : [];
  if (service.sessionAffinityMs !== undefined) {
    const timeoutS = Math.max(1, Math.round(service.sessionAffinityMs / 1000));
    const { sets, chains } = affinityRules(port, path, timeoutS);
    return [{ elements, sets, chains: [...chains, ...nodePort] }];
  }
  return [{ elements, sets: [], chains: [spread(name, port, protocol), ...nodePort] }];
}

const nodePortElement = (protocol: string, port: number, chain: string) =>
  ['node-ports', `${protocol} . ${port}`, `goto ${chain}`] as const;

/** Packets keep their source: the answers pass this node anyway. */
function hostPortRules({ hostIp, hostPort, podIp, containerPort, ...open }: OpenHostPort) {
  const protocol = open.protocol === 'TCP' ? 'tcp' : 'udp';
  const name = `host-port/${hostIp ?? 'any'}/${protocol}/${hostPort}`;
  const rules = [`meta l4proto ${protocol} dnat ip to ${podIp}:${containerPort}`];
  const element: PortRules['elements'][number] =
    hostIp === undefined
      ? nodePortElement(protocol, hostPort, name)
      : ['host-ports', `${hostIp} . ${protocol} . ${hostPort}`, `goto ${name}`];
  return { elements: [element], sets: [], chains: [plain(name, rules)] };
}

/** A chain that others lead to. */
function plain(name: string, rules: readonly string[]): [string, RuleChain] {
  return [name, { hook: undefined, rules }];
}

/** Each connection to an endpoint by chance. */
function spread(name: string, { endpoints }: ServicePortEntry, protocol: string) {
  const choices = endpoints.map(({ ip, port }, i) => `${i} : ${ip} . ${port}`).join(', ');
  const to = `dnat ip addr . port to numgen random mod ${endpoints.length} map { ${choices} }`;
  return plain(name, [`meta l4proto ${protocol} ${to}`]);
}

/** A set per endpoint remembers its clients; it goes with the endpoint, and so does their memory of it. */
function affinityRules(port: ServicePortEntry, path: string, timeoutS: number) {
  const protocol = port.protocol === 'TCP' ? 'tcp' : 'udp';
  const endpoints = port.endpoints.map((endpoint) => {
    const place = `${path}/${endpoint.ip}/${endpoint.port}`;
    const to = `${endpoint.ip}:${endpoint.port}`;
    return { to, chain: `endpoint/${place}/${timeoutS}s`, set: `clients/${place}/${timeoutS}s` };
  });
  const choices = endpoints.map(({ chain }, i) => `${i} : goto ${chain}`).join(', ');
  const remembered = endpoints.map(({ set, chain }) => `ip saddr @${set} goto ${chain}`);
  const pick = `numgen random mod ${endpoints.length} vmap { ${choices} }`;
  const definition = `type ipv4_addr; flags dynamic, timeout; timeout ${timeoutS}s;`;
  return {
    sets: endpoints.map(({ set }): [string, RuleSet] => [
      set,
      { kind: 'set', definition, elements: undefined },
    ]),
    chains: [
      ...endpoints.map(({ to, chain, set }) =>
        plain(chain, [`update @${set} { ip saddr }`, `meta l4proto ${protocol} dnat ip to ${to}`]),
      ),
      plain(`service/${path}`, [...remembered, pick]),
    ],
  };
}
