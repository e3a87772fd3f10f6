import { formatIpv4, parseIpv4 } from '../../base/ipv4.ts';
import { absent, type Netlink, recordNetlink, unlessError } from './netlink.ts';
import {
  type Attribute,
  cString,
  decodeAttributes,
  encodeAttributes,
  type NetlinkMessage,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  u32,
  zeroTerminated,
} from './netlink-codec.ts';

/** Links, addresses and routes in the kernel's terms. Sources: linux/rtnetlink.h, if_link.h, if_addr.h. */
export interface Link {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  readonly mtu: number;
  /** The kernel's number here for the namespace in which a veth's peer is; undefined: in this one. */
  readonly peerNamespaceId: number | undefined;
  /** A veth's peer, by its number where it is. */
  readonly peerIndex: number | undefined;
}

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
  readonly gateway: string | undefined;
  readonly linkIndex: number | undefined;
  /** The address that this host's own connections along the route come from. */
  readonly source: string | undefined;
}

export interface Ipv4Address {
  readonly linkIndex: number;
  readonly address: string;
  readonly prefix: number;
}

/** `host`: never chosen as a source address for other links; `global`: may be. */
export type AddressScope = 'global' | 'host';

/** The peer is made where it belongs: moving it there later would take 14 to 31 ms, this takes 0.3. */
export function createVeth(netlink: Netlink, request: VethRequest): void {
  const mtu: Attribute = [IFLA_MTU, u32(request.mtu)];
  const peer = Buffer.concat([
    linkHeader({}),
    encodeAttributes([
      [IFLA_IFNAME, zeroTerminated(request.peerName)],
      mtu,
      [IFLA_NET_NS_FD, u32(request.peerNamespaceFd)],
    ]),
  ]);
  const attributes: Attribute[] = [
    [IFLA_IFNAME, zeroTerminated(request.name)],
    mtu,
    [
      IFLA_LINKINFO,
      [
        [IFLA_INFO_KIND, zeroTerminated('veth')],
        [IFLA_INFO_DATA, [[VETH_INFO_PEER, peer]]],
      ],
    ],
  ];
  netlink.request({
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: Buffer.concat([linkHeader({}), encodeAttributes(attributes)]),
    what: `make veth ${request.name}`,
  });
}

/** undefined: there is no such link. */
export function findLink(netlink: Netlink, name: string): Link | undefined {
  const body = Buffer.concat([
    linkHeader({}),
    encodeAttributes([[IFLA_IFNAME, zeroTerminated(name)]]),
  ]);
  const what = `find link ${name}`;
  return absent(() => netlink.request({ type: RTM_GETLINK, body, what }), 'ENODEV')?.map(link)[0];
}

export function findLinkByIndex(netlink: Netlink, index: number): Link | undefined {
  const what = `find link number ${index}`;
  const request = { type: RTM_GETLINK, body: linkHeader({ index }), what };
  return absent(() => netlink.request(request), 'ENODEV')?.map(link)[0];
}

export function setLinkUp(netlink: Netlink, index: number): void {
  const body = linkHeader({ index, flags: IFF_UP, change: IFF_UP });
  netlink.request({ type: RTM_NEWLINK, body, what: `set link number ${index} up` });
}

/** Into another namespace, where it is down, without addresses, and has this name; its index is the same if that is free. */
export function moveLink(
  netlink: Netlink,
  link: { readonly index: number; readonly namespaceFd: number; readonly name: string },
): void {
  const attributes = encodeAttributes([
    [IFLA_NET_NS_FD, u32(link.namespaceFd)],
    [IFLA_IFNAME, zeroTerminated(link.name)],
  ]);
  const body = Buffer.concat([linkHeader({ index: link.index }), attributes]);
  netlink.request({ type: RTM_NEWLINK, body, what: `move ${link.name} to another namespace` });
}

/** A new network namespace has its loopback as number 1, and down. */
export function loopbackUp(): Uint8Array {
  return recordNetlink((netlink) => setLinkUp(netlink, 1));
}

/** Puts links together that are to be deleted in one go. */
export function setLinkGroup(netlink: Netlink, index: number, group: number): void {
  const attributes = encodeAttributes([[IFLA_GROUP, u32(group)]]);
  const body = Buffer.concat([linkHeader({ index }), attributes]);
  netlink.request({ type: RTM_SETLINK, body, what: `set group of link number ${index}` });
}

/** All links of the group with one wait for the kernel's readers (some 16 ms), which doesn't block this thread. */
export async function deleteLinkGroup(netlink: Netlink, group: number): Promise<void> {
  const body = Buffer.concat([linkHeader({}), encodeAttributes([[IFLA_GROUP, u32(group)]])]);
  const request = { type: RTM_DELLINK, body, what: `delete link group ${group}` };
  await netlink.requestAside(request).catch(unlessError('ENODEV'));
}

/** The address that is there already is fine. */
export function ensureAddress(netlink: Netlink, address: Ipv4Address, scope: AddressScope): void {
  const bytes = ipv4Bytes(address.address);
  const body = Buffer.concat([
    addressHeader(address.linkIndex, address.prefix, addressScopes[scope]),
    encodeAttributes([
      [IFA_LOCAL, bytes],
      [IFA_ADDRESS, bytes],
    ]),
  ]);
  const what = `add address ${address.address} to link number ${address.linkIndex}`;
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  absent(() => netlink.request({ type: RTM_NEWADDR, flags, body, what }), 'EEXIST');
}

export function removeAddress(netlink: Netlink, address: Ipv4Address): void {
  const body = Buffer.concat([
    addressHeader(address.linkIndex, address.prefix, 0),
    encodeAttributes([[IFA_LOCAL, ipv4Bytes(address.address)]]),
  ]);
  const what = `remove address ${address.address}`;
  absent(() => netlink.request({ type: RTM_DELADDR, body, what }), 'EADDRNOTAVAIL');
}

export function listAddresses(netlink: Netlink): readonly Ipv4Address[] {
  const body = addressHeader(0, 0, 0);
  return netlink.dump({ type: RTM_GETADDR, body, what: 'list addresses' }).map(ipv4Address);
}

/** Takes the place of a route to the same destination, in one step. */
export function putRoute(netlink: Netlink, route: Ipv4Route): void {
  const what = `add route to ${route.destination}/${route.prefix}`;
  netlink.request({
    type: RTM_NEWROUTE,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: routeBody(route),
    what,
  });
}

/** A route that is gone already is fine. */
export function removeRoute(netlink: Netlink, route: Ipv4Route): void {
  const what = `remove route to ${route.destination}/${route.prefix}`;
  absent(() => netlink.request({ type: RTM_DELROUTE, body: routeBody(route), what }), 'ESRCH');
}

/** The main table's routes with this rtm_protocol. */
export function listRoutes(netlink: Netlink, protocol: number): readonly Ipv4Route[] {
  const header = routeHeader({ prefix: 0, protocol, scope: 0, kind: 0 });
  return netlink.dump({ type: RTM_GETROUTE, body: header, what: 'list routes' }).map(route);
}

/** The kernel's number in this namespace for another one; undefined: it has given none yet. */
export function namespaceId(netlink: Netlink, fd: number): number | undefined {
  const family = Buffer.alloc(4);
  const body = Buffer.concat([family, encodeAttributes([[NETNSA_FD, u32(fd)]])]);
  const [answer] = netlink.request({ type: RTM_GETNSID, body, what: 'find namespace number' });
  const id = answer && decodeAttributes(answer.body.subarray(4)).get(NETNSA_NSID)?.readInt32LE(0);
  return id === undefined || id < 0 ? undefined : id;
}

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;
const RTM_GETNSID = 90;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_LINKINFO = 18;
const IFLA_GROUP = 27;
const IFLA_NET_NS_FD = 28;
const IFLA_LINK_NETNSID = 37;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFF_UP = 1;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PREFSRC = 7;
const NETNSA_NSID = 1;
const NETNSA_FD = 3;
const RTN_UNICAST = 1;
const RTN_UNREACHABLE = 7;
const RT_TABLE_MAIN = 254;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const AF_INET = 2;
const addressScopes = { global: 0, host: 254 } as const;

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
  const table = RT_TABLE_MAIN;
  return Buffer.from([AF_INET, prefix, 0, 0, table, protocol, scope, kind, 0, 0, 0, 0]);
}

function routeBody(route: Ipv4Route): Buffer {
  const onLink = route.kind === 'unicast' && route.gateway === undefined;
  const header = routeHeader({
    prefix: route.prefix,
    protocol: route.protocol,
    scope: onLink ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
    kind: route.kind === 'unicast' ? RTN_UNICAST : RTN_UNREACHABLE,
  });
  const attributes: Attribute[] = [[RTA_DST, ipv4Bytes(route.destination)]];
  if (route.gateway !== undefined) attributes.push([RTA_GATEWAY, ipv4Bytes(route.gateway)]);
  if (route.linkIndex !== undefined) attributes.push([RTA_OIF, u32(route.linkIndex)]);
  if (route.source !== undefined) attributes.push([RTA_PREFSRC, ipv4Bytes(route.source)]);
  return Buffer.concat([header, encodeAttributes(attributes)]);
}

function link(message: NetlinkMessage): Link {
  const attributes = decodeAttributes(message.body.subarray(16));
  return {
    index: message.body.readInt32LE(4),
    name: cString(attributes.get(IFLA_IFNAME) ?? Buffer.alloc(0)),
    up: (message.body.readUInt32LE(8) & IFF_UP) !== 0,
    mtu: attributes.get(IFLA_MTU)?.readUInt32LE(0) ?? 0,
    peerNamespaceId: attributes.get(IFLA_LINK_NETNSID)?.readInt32LE(0),
    peerIndex: attributes.get(IFLA_LINK)?.readInt32LE(0),
  };
}

function ipv4Address(message: NetlinkMessage): Ipv4Address {
  const attributes = decodeAttributes(message.body.subarray(8));
  return {
    linkIndex: message.body.readUInt32LE(4),
    address: ipv4Text(attributes.get(IFA_LOCAL)) ?? '',
    prefix: message.body.readUInt8(1),
  };
}

function route(message: NetlinkMessage): Ipv4Route {
  const attributes = decodeAttributes(message.body.subarray(12));
  return {
    destination: ipv4Text(attributes.get(RTA_DST)) ?? '0.0.0.0',
    prefix: message.body.readUInt8(1),
    protocol: message.body.readUInt8(5),
    kind: message.body.readUInt8(7) === RTN_UNREACHABLE ? 'unreachable' : 'unicast',
    gateway: ipv4Text(attributes.get(RTA_GATEWAY)),
    linkIndex: attributes.get(RTA_OIF)?.readUInt32LE(0),
    source: ipv4Text(attributes.get(RTA_PREFSRC)),
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

function ipv4Text(bytes: Buffer | undefined): string | undefined {
  return bytes && formatIpv4(bytes.readUInt32BE(0));
}
