import { expect, it } from 'vitest';
import { type Netlink, NetlinkError } from '../../../../agent/kernel/netlink.ts';
import type { NetlinkMessage } from '../../../../agent/kernel/netlink-codec.ts';
import {
  createVeth,
  ensureAddress,
  findLink,
  type Ipv4Route,
  listRoutes,
  putRoute,
  removeRoute,
} from '../../../../agent/kernel/rtnetlink.ts';

/** A kernel that only listens, and answers what it is told to. */
function listener(answers: readonly Buffer[] = [], error?: NetlinkError) {
  const heard: { type: number; flags: number; body: string }[] = [];
  const take: Netlink['request'] = ({ type, flags = 0, body }) => {
    heard.push({ type, flags, body: body.toString('hex') });
    if (error) throw error;
    return answers.map(
      (answer): NetlinkMessage => ({ type: 0, flags: 0, sequence: 1, body: answer }),
    );
  };
  const netlink: Netlink = {
    request: take,
    dump: take,
    requestAside: async (request) => void take(request),
    close() {},
  };
  return { netlink, heard };
}

const route: Ipv4Route = {
  destination: '10.244.4.0',
  prefix: 22,
  protocol: 0x6f,
  kind: 'unicast',
  gateway: '172.30.7.2',
  linkIndex: undefined,
  source: undefined,
};

it('makes a veth pair whose peer is born in the other namespace', () => {
  const { netlink, heard } = listener();
  createVeth(netlink, { name: 'orc1', peerName: 'eth0', peerNamespaceFd: 9, mtu: 1450 });
  const empty = '00'.repeat(16);
  const mtu = '08000400' + 'aa050000';
  const peer = `${empty}090003006574683000000000${mtu}08001c0009000000`;
  const info = `0900010076657468000000003400020030000100${peer}`;
  expect(heard).toEqual([
    { type: 16, flags: 0x600, body: `${empty}090003006f72633100000000${mtu}44001200${info}` },
  ]);
});

it('puts a route by way of a gateway in the place of another', () => {
  const { netlink, heard } = listener();
  putRoute(netlink, route);
  const header = '02' + '16' + '0000' + 'fe' + '6f' + '00' + '01' + '00000000';
  expect(heard).toEqual([
    { type: 24, flags: 0x500, body: `${header}080001000af4040008000500ac1e0702` },
  ]);
});

it('reads back the routes that it writes', () => {
  const routes: Ipv4Route[] = [
    route,
    { ...route, kind: 'unreachable', gateway: undefined },
    { ...route, gateway: undefined, linkIndex: 2, source: '172.30.7.1' },
  ];
  const written = routes.map((each) => {
    const { netlink, heard } = listener();
    putRoute(netlink, each);
    return Buffer.from(heard[0]?.body ?? '', 'hex');
  });
  expect(listRoutes(listener(written).netlink, 0x6f)).toEqual(routes);
});

it('finds a link with its state, MTU, group and peer', () => {
  const attributes =
    '09000300' +
    '6f72633100000000' +
    '08000400' +
    'aa050000' +
    '08002500' +
    '03000000' +
    '08001b00' +
    '726f0000';
  const up = `00000000 07000000 01100000 00000000 ${attributes}`.replaceAll(' ', '');
  expect(findLink(listener([Buffer.from(up, 'hex')]).netlink, 'orc1')).toEqual({
    index: 7,
    name: 'orc1',
    up: true,
    mtu: 1450,
    group: 0x6f72,
    peerNamespaceId: 3,
  });
});

it('takes what is there already, and what is gone already, for done', () => {
  const failing = (errno: number) => listener([], new NetlinkError('test', errno)).netlink;
  const address = { linkIndex: 1, address: '10.96.0.10', prefix: 32 };
  expect(findLink(failing(19), 'orc1')).toBeUndefined();
  ensureAddress(failing(17), address, 'host');
  removeRoute(failing(3), route);
  expect(() => putRoute(failing(101), route)).toThrow('ENETUNREACH');
  expect(() => ensureAddress(failing(1), address, 'host')).toThrow('EPERM');
});

it('refuses what is no address before the kernel sees it', () => {
  const { netlink, heard } = listener();
  expect(() => putRoute(netlink, { ...route, gateway: 'host2' })).toThrow('host2');
  expect(heard).toEqual([]);
});
