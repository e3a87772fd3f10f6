import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostPort } from '../../api/pod-facts.ts';
import type { Base } from '../../base/base.ts';
import { parseIpv4Cidr } from '../../base/ipv4.ts';
import { forgetFlows } from '../kernel/conntrack.ts';
import { openConntrackNetlink, openNftablesNetlink, openRouteNetlink } from '../kernel/netlink.ts';
import { openNftables } from '../kernel/nftables.ts';
import type { NetworkPort, NetworkTable } from '../ports.ts';
import { type AddressBook, openAddressBook } from './address-book.ts';
import { dnsServer } from './dns-server.ts';
import { NetworkError, type NetworkReason } from './network-error.ts';
import { checkTable } from './network-table.ts';
import { applyNodeRoutes, findUplink } from './node-routes.ts';
import { podLinkName, podLinks } from './pod-link.ts';
import { ruleKeeper } from './rule-keeper.ts';
import { serviceRules } from './service-rules.ts';
import { staleFlows, type UdpTranslations, udpTranslations } from './stale-flows.ts';

export interface NetworkOptions extends Base {
  /** Addresses are kept in its `network/`. */
  readonly dataDir: string;
  /** Path of the node's resolv.conf: its servers answer for names that aren't the cluster's. */
  readonly resolvConf: string;
}

export type Network = Awaited<ReturnType<typeof openNetwork>>;

/**
 * The network of the host whose network namespace this process is in. Changes only kernel parameters there until
 * the first table. Throws NetworkError, NftablesError (libnftables is not installed), NetlinkError (not root).
 */
export async function openNetwork(options: NetworkOptions) {
  setParameters(hostParameters);
  const parts = openParts(options);
  return { ...composeNetwork(parts), close: parts.close };
}

type Parts = ReturnType<typeof openParts>;

function openParts(options: NetworkOptions) {
  const [netlink, reaper] = [openRouteNetlink(), openRouteNetlink()];
  const [elements, conntrack] = [openNftablesNetlink(), openConntrackNetlink()];
  const nftables = openNftables();
  const links = podLinks({ netlink, reaper, ...options });
  const dns = dnsServer({ netlink, ...options });
  const rules = ruleKeeper(nftables, elements);
  const book = openAddressBook(join(options.dataDir, 'network'), options.log);
  /** Ends DNS and lets go of the sockets; links, routes and rules stay, and the next `openNetwork` finds them. */
  const close = async () => {
    await dns.close();
    await links.close();
    for (const open of [netlink, reaper, elements, conntrack, nftables]) open.close();
  };
  return { netlink, conntrack, links, dns, rules, book, close };
}

function composeNetwork({ netlink, conntrack, links, rules, book, dns }: Parts): NetworkPort {
  /** The last table whose rules are in force: before there is one, no pod is let in. */
  let table: NetworkTable | undefined;
  let inForce: UdpTranslations | undefined;
  let mtu = defaultMtu;
  /** Tables are applied one after the other, in the order in which they came. */
  let applying: Promise<void> = Promise.resolve();

  const applyRules = (next: NetworkTable) => {
    rules.apply(serviceRules(next, podsByLink(book), book.hostPorts()));
    table = next;
    const translations = udpTranslations(next, book.hostPorts());
    for (const flows of staleFlows(inForce, translations)) forgetFlows(conntrack, flows);
    inForce = translations;
    // Pods' packets go out as they are: no longer than those of the link that leads to the other nodes.
    const uplink = findUplink(netlink, next);
    mtu = uplink?.mtu ?? defaultMtu;
    // What comes by a node port often leaves by the link that it came by: no client shall be told to go elsewhere.
    if (uplink) setParameters({ [`conf/${uplink.name}/send_redirects`]: '0' });
  };
  const applyAll = async (next: NetworkTable) => {
    checkTable(next);
    await everyStep([
      () => because('RulesFailed', () => applyRules(next)),
      () => because('RoutesFailed', () => applyNodeRoutes(netlink, next)),
      () => because('DnsFailed', () => dns.serve(next)),
    ]);
  };
  const admit = (uid: string, podIp: string) => {
    if (!rules.admitPod(podLinkName(uid), podIp) && table) applyRules(table);
  };
  const openHostPorts = (uid: string, ports: readonly HostPort[]) => {
    const isChange = book.setHostPorts(uid, ports);
    if (table && (isChange || ports.length > 0)) applyRules(table);
  };
  return {
    async attach(request) {
      if (!table) throw new NetworkError('NetworkNotReady');
      const podIp = allocate(book, table, request.uid);
      await because('RulesFailed', () => admit(request.uid, podIp));
      await because('LinkFailed', () => links.connect(request, podIp, mtu));
      await because('RulesFailed', () => openHostPorts(request.uid, request.hostPorts));
      return { uid: request.uid, podIp };
    },
    async detach(uid) {
      const podIp = book.find(uid);
      await because('RulesFailed', () => openHostPorts(uid, []));
      await because('LinkFailed', () => links.disconnect(uid, podIp));
      if (podIp === undefined) return;
      await because('RulesFailed', () => rules.dismissPod(podLinkName(uid), podIp));
      book.free(uid);
    },
    find(uid) {
      const podIp = book.find(uid);
      return Promise.resolve(podIp === undefined ? undefined : { uid, podIp });
    },
    list: () => Promise.resolve(book.list()),
    apply(wanted) {
      applying = Promise.allSettled([applying]).then(() => applyAll(wanted));
      return applying;
    },
  };
}

const defaultMtu = 1500;

function allocate(book: AddressBook, table: NetworkTable, uid: string): string {
  const cidr = parseIpv4Cidr(table.podCidr);
  if (!cidr) throw new NetworkError('InvalidTable', { detail: table.podCidr });
  const podIp = book.allocate(cidr, uid);
  if (podIp === undefined) throw new NetworkError('NoFreeAddress', { detail: table.podCidr });
  return podIp;
}

const podsByLink = (book: AddressBook): ReadonlyMap<string, string> =>
  new Map(book.list().map(({ uid, podIp }) => [podLinkName(uid), podIp]));

/**
 * Without forwarding the host routes nothing. A redirect would tell a pod that reached itself through a service of a
 * shorter way, and use up the kernel's allowance of ICMP messages to it; `all` off leaves each link its own setting.
 */
const hostParameters = { ip_forward: '1', 'conf/all/send_redirects': '0' };

/** Written only if needed: each write of ip_forward resets other parameters of all links. */
function setParameters(parameters: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(parameters)) {
    const path = `/proc/sys/net/ipv4/${name}`;
    try {
      if (readFileSync(path, 'utf8').trim() !== value) writeFileSync(path, value);
    } catch (cause) {
      throw new NetworkError('SysctlFailed', { detail: path, cause });
    }
  }
}

async function because(reason: NetworkReason, act: () => void | Promise<void>): Promise<void> {
  try {
    await act();
  } catch (cause) {
    throw cause instanceof NetworkError ? cause : new NetworkError(reason, { cause });
  }
}

/** A step that fails keeps no other back; the first failure is told. */
async function everyStep(steps: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const step of steps) await step().catch((error) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}
