import { parseIpv4Cidr } from '../../base/ipv4.ts';
import type { Netlink } from '../kernel/netlink.ts';
import type { Ipv4Route, Link } from '../kernel/rtnetlink.ts';
import * as rtnetlink from '../kernel/rtnetlink.ts';
import type { NetworkTable } from '../ports.ts';
import { NetworkError } from './network-error.ts';
import { ownAddress } from './network-table.ts';

/** rtm_protocol of the routes that this file owns, and by which it knows them again. */
export const nodeRouteProtocol = 0x6f;

/** Makes the kernel's routes those of the table; one that fails (a node that is no neighbour) keeps no other back. */
export function applyNodeRoutes(netlink: Netlink, table: NetworkTable): void {
  const desired = desiredRoutes(table, findUplink(netlink, table)?.index ?? loopback);
  const plan = planRoutes(rtnetlink.listRoutes(netlink, nodeRouteProtocol), desired);
  const failures: unknown[] = [];
  const attempt = (step: () => void) => {
    try {
      step();
    } catch (error) {
      failures.push(error);
    }
  };
  for (const route of plan.remove) attempt(() => rtnetlink.removeRoute(netlink, route));
  for (const route of plan.put) attempt(() => rtnetlink.putRoute(netlink, route));
  if (failures.length === 0) return;
  throw new NetworkError('RoutesFailed', {
    detail: `${failures.length} of ${plan.put.length + plan.remove.length}`,
    cause: failures[0],
  });
}

export function planRoutes(observed: readonly Ipv4Route[], desired: readonly Ipv4Route[]) {
  const target = (route: Ipv4Route) => `${route.destination}/${route.prefix}`;
  const whole = (route: Ipv4Route) =>
    [target(route), route.kind, route.gateway ?? `link ${route.linkIndex}`, route.source].join(' ');
  const wanted = new Set(desired.map(target));
  const there = new Set(observed.map(whole));
  return {
    /** Each takes the place of a route to the same destination. */
    put: desired.filter((route) => !there.has(whole(route))),
    remove: observed.filter((route) => !wanted.has(target(route))),
  };
}

/**
 * The other nodes' pods by way of their nodes; addresses of this node's CIDR that no pod holds: unreachable, lest they
 * go in circles over the default route; and the services' addresses over the uplink: a connection of the host's own
 * needs a route, and from it this node's address as its source, before the rules turn it to an endpoint. (Not over
 * `lo`, where an unreachable port could not be told: the kernel would send the ICMP message from the service's address.)
 */
export function desiredRoutes(table: NetworkTable, uplinkIndex: number): readonly Ipv4Route[] {
  const others = table.nodes.filter((node) => node.podCidr !== table.podCidr);
  return [
    ...others.map((node) => route(node.podCidr, { gateway: node.address })),
    route(table.podCidr, { kind: 'unreachable' }),
    route(table.serviceCidr, { linkIndex: uplinkIndex, source: ownAddress(table) }),
  ];
}

/** The link by which this node reaches the others: the one with the node's address. undefined: no link has it. */
export function findUplink(netlink: Netlink, table: NetworkTable): Link | undefined {
  const own = ownAddress(table);
  const found = rtnetlink.listAddresses(netlink).find(({ address }) => address === own);
  return found && rtnetlink.findLinkByIndex(netlink, found.linkIndex);
}

/** `lo` in every network namespace; the way to services for a node that has lost its address. */
const loopback = 1;

function route(cidr: string, rest: Partial<Ipv4Route>): Ipv4Route {
  const parsed = parseIpv4Cidr(cidr);
  if (!parsed) throw new NetworkError('InvalidTable', { detail: `"${cidr}" is no IPv4 CIDR` });
  return {
    destination: cidr.slice(0, cidr.indexOf('/')),
    prefix: parsed.prefix,
    protocol: nodeRouteProtocol,
    kind: 'unicast',
    ...rest,
  };
}
