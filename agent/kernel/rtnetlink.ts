import { cString } from '../../base/c-string.ts';
import { formatIpv4, parseIpv4 } from '../../base/ipv4.ts';
import { absent, type Netlink, recordNetlink, unlessError } from './netlink.ts';
import * as codec from './netlink-codec.ts';

/** Links, addresses and routes in the kernel's terms. Sources: linux/rtnetlink.h, if_link.h, if_addr.h. */
export type Link = ReturnType<typeof link>;

export interface VethRequest {
  readonly name: string;
  readonly peerName: string;
  /** An open file of the namespace in which the peer is to be born. */
  readonly peerNamespaceFd: number;
  readonly mtu: number;
}

export interface Ipv4Route {
  readonly destination: string;
  readonly prefix: number;
  readonly protocol: number;
  readonly kind: 'unicast' | 'unreachable';
  readonly gateway?: string | undefined;
  readonly linkIndex?: number | undefined;
  /** The address that this host's own connections along the route come from. */
  readonly source?: string | undefined;
}

export type Ipv4Address = Readonly<{ linkIndex: number; address: string; prefix: number }>;

/** `host`: never chosen as a source address for other links; `global`: may be. */
export type AddressScope = 'global' | 'host';

/** The peer is made where it belongs: moving it there later would take 14 to 31 ms, this takes 0.3. */
export function createVeth(netlink: Netlink, request: VethRequest): void {
  const mtu: codec.Attribute = [IFLA.MTU, request.mtu];
  const name: codec.Attribute = [IFLA.IFNAME, request.name];
  const peerName: codec.Attribute = [IFLA.IFNAME, request.peerName];
  const birthplace: codec.Attribute = [IFLA.NET_NS_FD, request.peerNamespaceFd];
  const peer = codec.encodeBody(linkHeader({}), peerName, mtu, birthplace);
  const kind: codec.Attribute = [IFLA_INFO.KIND, 'veth'];
  const ofKind: codec.Attribute = [IFLA_INFO.DATA, [[VETH_INFO_PEER, peer]]];
  const body = codec.encodeBody(linkHeader({}), name, mtu, [IFLA.LINKINFO, [kind, ofKind]]);
  const what = `make veth ${request.name}`;
  netlink.request({ type: RTM_LINK.NEW, flags: codec.NLM_F.CREATE | codec.NLM_F.EXCL, body, what });
}

/** undefined: there is no such link. */
export function findLink(netlink: Netlink, name: string): Link | undefined {
  const body = codec.encodeBody(linkHeader({}), [IFLA.IFNAME, name]);
  return theLink(netlink, { body, what: `find link ${name}` });
}

export const findLinkByIndex = (netlink: Netlink, index: number): Link | undefined =>
  theLink(netlink, { body: linkHeader({ index }), what: `find link number ${index}` });

export function setLinkUp(netlink: Netlink, index: number): void {
  const body = linkHeader({ index, flags: IFF_UP, change: IFF_UP });
  netlink.request({ type: RTM_LINK.NEW, body, what: `set link number ${index} up` });
}

/** Into another namespace, where it is down, without addresses, and has this name; its index is the same if that is free. */
export function moveLink(
  netlink: Netlink,
  link: { readonly index: number; readonly namespaceFd: number; readonly name: string },
): void {
  const { index, namespaceFd, name } = link;
  const header = linkHeader({ index });
  const body = codec.encodeBody(header, [IFLA.NET_NS_FD, namespaceFd], [IFLA.IFNAME, name]);
  netlink.request({ type: RTM_LINK.NEW, body, what: `move ${name} to another namespace` });
}

/** A new network namespace has its loopback as number 1, and down. */
export const loopbackUp = (): Uint8Array => recordNetlink((netlink) => setLinkUp(netlink, 1));

/** Puts links together that are to be deleted in one go. One that is gone already is fine. */
export function setLinkGroup(netlink: Netlink, index: number, group: number): void {
  const body = codec.encodeBody(linkHeader({ index }), [IFLA.GROUP, group]);
  const what = `set group of link number ${index}`;
  absent(() => netlink.request({ type: RTM_LINK.SET, body, what }), 'ENODEV');
}

/** All links of the group with one wait for the kernel's readers (some 16 ms), which doesn't block this thread. */
export async function deleteLinkGroup(netlink: Netlink, group: number): Promise<void> {
  const body = codec.encodeBody(linkHeader({}), [IFLA.GROUP, group]);
  const request = { type: RTM_LINK.DEL, body, what: `delete link group ${group}` };
  await netlink.requestAside(request).catch(unlessError('ENODEV'));
}

/** The address that is there already is fine. */
export function ensureAddress(netlink: Netlink, address: Ipv4Address, scope: AddressScope): void {
  const bytes = ipv4Bytes(address.address);
  const header = addressHeader(address.linkIndex, address.prefix, RT_SCOPE[scope]);
  const body = codec.encodeBody(header, [IFA.LOCAL, bytes], [IFA.ADDRESS, bytes]);
  const what = `add address ${address.address} to link number ${address.linkIndex}`;
  const flags = codec.NLM_F.CREATE | codec.NLM_F.EXCL;
  absent(() => netlink.request({ type: RTM_ADDR.NEW, flags, body, what }), 'EEXIST');
}

export function removeAddress(netlink: Netlink, address: Ipv4Address): void {
  const header = addressHeader(address.linkIndex, address.prefix, 0);
  const body = codec.encodeBody(header, [IFA.LOCAL, ipv4Bytes(address.address)]);
  const what = `remove address ${address.address}`;
  absent(() => netlink.request({ type: RTM_ADDR.DEL, body, what }), 'EADDRNOTAVAIL');
}

export function listAddresses(netlink: Netlink): readonly Ipv4Address[] {
  const body = addressHeader(0, 0, 0);
  return netlink.dump({ type: RTM_ADDR.GET, body, what: 'list addresses' }).map(ipv4Address);
}

/** Takes the place of a route to the same destination, in one step. */
export function putRoute(netlink: Netlink, route: Ipv4Route): void {
  const what = `add route to ${route.destination}/${route.prefix}`;
  const flags = codec.NLM_F.CREATE | codec.NLM_F.REPLACE;
  netlink.request({ type: RTM_ROUTE.NEW, flags, body: routeBody(route), what });
}

/** A route that is gone already is fine. */
export function removeRoute(netlink: Netlink, route: Ipv4Route): void {
  const what = `remove route to ${route.destination}/${route.prefix}`;
  absent(() => netlink.request({ type: RTM_ROUTE.DEL, body: routeBody(route), what }), 'ESRCH');
}

/** The main table's routes with this rtm_protocol. */
export function listRoutes(netlink: Netlink, protocol: number): readonly Ipv4Route[] {
  const header = routeHeader({ prefix: 0, protocol, scope: 0, kind: 0 });
  return netlink.dump({ type: RTM_ROUTE.GET, body: header, what: 'list routes' }).map(route);
}

/** The kernel's number in this namespace for another one; undefined: it has given none yet. */
export function namespaceId(netlink: Netlink, fd: number): number | undefined {
  const body = codec.encodeBody(Buffer.alloc(4), [NETNSA.FD, fd]);
  const [answer] = netlink.request({ type: RTM_GETNSID, body, what: 'find namespace number' });
  const id =
    answer && codec.decodeAttributes(answer.body.subarray(4)).get(NETNSA.NSID)?.readInt32LE(0);
  return id === undefined || id < 0 ? undefined : id;
}

const RTM_LINK = { NEW: 16, DEL: 17, GET: 18, SET: 19 };
const RTM_ADDR = { NEW: 20, DEL: 21, GET: 22 };
const RTM_ROUTE = { NEW: 24, DEL: 25, GET: 26 };
const RTM_GETNSID = 90;
const IFLA = {
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  LINKINFO: 18,
  GROUP: 27,
  NET_NS_FD: 28,
  LINK_NETNSID: 37,
};
const IFLA_INFO = { KIND: 1, DATA: 2 };
const VETH_INFO_PEER = 1;
const IFF_UP = 1;
const IFA = { ADDRESS: 1, LOCAL: 2 };
const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PREFSRC: 7 };
const NETNSA = { NSID: 1, FD: 3 };
const RTN = { unicast: 1, unreachable: 7 };
const RT_TABLE_MAIN = 254;
const RT_SCOPE = { global: 0, link: 253, host: 254 };
const AF_INET = 2;

const theLink = (netlink: Netlink, request: { readonly body: Buffer; readonly what: string }) =>
  absent(() => netlink.request({ type: RTM_LINK.GET, ...request }), 'ENODEV')?.map(link)[0];

/** struct ifinfomsg */
function linkHeader(fields: { index?: number; flags?: number; change?: number }): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(fields.index ?? 0, 4);
  header.writeUInt32LE(fields.flags ?? 0, 8);
  header.writeUInt32LE(fields.change ?? 0, 12);
  return header;
}

/** struct ifaddrmsg */
function addressHeader(index: number, prefix: number, scope: number): Buffer {
  const header = Buffer.from([AF_INET, prefix, 0, scope, 0, 0, 0, 0]);
  header.writeUInt32LE(index, 4);
  return header;
}

/** struct rtmsg */
function routeHeader(fields: { prefix: number; protocol: number; scope: number; kind: number }) {
  const { prefix, protocol, scope, kind } = fields;
  return Buffer.from([AF_INET, prefix, 0, 0, RT_TABLE_MAIN, protocol, scope, kind, 0, 0, 0, 0]);
}

function routeBody(route: Ipv4Route): Buffer {
  const onLink = route.kind === 'unicast' && route.gateway === undefined;
  const header = routeHeader({
    prefix: route.prefix,
    protocol: route.protocol,
    scope: onLink ? RT_SCOPE.link : RT_SCOPE.global,
    kind: RTN[route.kind],
  });
  const attributes: codec.Attribute[] = [[RTA.DST, ipv4Bytes(route.destination)]];
  if (route.gateway !== undefined) attributes.push([RTA.GATEWAY, ipv4Bytes(route.gateway)]);
  if (route.linkIndex !== undefined) attributes.push([RTA.OIF, route.linkIndex]);
  if (route.source !== undefined) attributes.push([RTA.PREFSRC, ipv4Bytes(route.source)]);
  return codec.encodeBody(header, ...attributes);
}

function link(message: codec.NetlinkMessage) {
  const attributes = codec.decodeAttributes(message.body.subarray(16));
  return {
    index: message.body.readInt32LE(4),
    name: cString(attributes.get(IFLA.IFNAME) ?? Buffer.alloc(0)),
    up: (message.body.readUInt32LE(8) & IFF_UP) !== 0,
    mtu: attributes.get(IFLA.MTU)?.readUInt32LE(0) ?? 0,
    /** 0: none that {@link setLinkGroup} gave. */
    group: attributes.get(IFLA.GROUP)?.readUInt32LE(0) ?? 0,
    /** The kernel's number here for the namespace in which a veth's peer is; undefined: in this one. */
    peerNamespaceId: attributes.get(IFLA.LINK_NETNSID)?.readInt32LE(0),
    /** A veth's peer, by its number where it is. */
    peerIndex: attributes.get(IFLA.LINK)?.readInt32LE(0),
  };
}

function ipv4Address(message: codec.NetlinkMessage): Ipv4Address {
  const attributes = codec.decodeAttributes(message.body.subarray(8));
  return {
    linkIndex: message.body.readUInt32LE(4),
    address: ipv4Text(attributes.get(IFA.LOCAL)) ?? '',
    prefix: message.body.readUInt8(1),
  };
}

function route(message: codec.NetlinkMessage): Ipv4Route {
  const attributes = codec.decodeAttributes(message.body.subarray(12));
  return {
    destination: ipv4Text(attributes.get(RTA.DST)) ?? '0.0.0.0',
    prefix: message.body.readUInt8(1),
    protocol: message.body.readUInt8(5),
    kind: message.body.readUInt8(7) === RTN.unreachable ? 'unreachable' : 'unicast',
    gateway: ipv4Text(attributes.get(RTA.GATEWAY)),
    linkIndex: attributes.get(RTA.OIF)?.readUInt32LE(0),
    source: ipv4Text(attributes.get(RTA.PREFSRC)),
  };
}

/** In network byte order. */
export function ipv4Bytes(text: string): Buffer {
  const address = parseIpv4(text);
  if (address === undefined) throw new TypeError(`not an IPv4 address: ${text}`);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(address, 0);
  return bytes;
}

const ipv4Text = (bytes: Buffer | undefined) => bytes && formatIpv4(bytes.readUInt32BE(0));
