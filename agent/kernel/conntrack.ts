import { absent, type Netlink } from './netlink.ts';
import { type Attribute, encodeAttributes, u32 } from './netlink-codec.ts';
import { ipv4Bytes } from './rtnetlink.ts';

/** Flows that went to `target` and were translated to `endpoint`. */
export interface TranslatedFlows {
  readonly protocol: 'TCP' | 'UDP';
  readonly target: { readonly ip: string; readonly port: number };
  readonly endpoint: { readonly ip: string; readonly port: number };
}

/**
 * Makes the kernel forget them, so that their next packet is translated anew. It searches its whole table, in one call;
 * that there is none is fine.
 * Source: linux/netfilter/nfnetlink_conntrack.h; filters of deletion since Linux 5.8.
 */
export function forgetFlows(netlink: Netlink, flows: TranslatedFlows): void {
  const { target, endpoint } = flows;
  const number = flows.protocol === 'TCP' ? 6 : 17;
  const original = tuple([CTA_IP_V4_DST, target.ip], number, [CTA_PROTO_DST_PORT, target.port]);
  const reply = tuple([CTA_IP_V4_SRC, endpoint.ip], number, [CTA_PROTO_SRC_PORT, endpoint.port]);
  const attributes = encodeAttributes([
    [CTA_TUPLE_ORIG, original],
    [CTA_TUPLE_REPLY, reply],
    [
      CTA_FILTER,
      [
        [CTA_FILTER_ORIG_FLAGS, u32(FILTER_IP_DST | FILTER_PROTO_NUM | FILTER_DST_PORT)],
        [CTA_FILTER_REPLY_FLAGS, u32(FILTER_IP_SRC | FILTER_PROTO_NUM | FILTER_SRC_PORT)],
      ],
    ],
  ]);
  const body = Buffer.concat([Buffer.from([AF_INET, 0, 0, 0]), attributes]);
  const what = `forget flows to ${endpoint.ip}`;
  absent(() => netlink.request({ type: IPCTNL_MSG_CT_DELETE, body, what }), 'ENOENT');
}

const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_DELETE = (NFNL_SUBSYS_CTNETLINK << 8) | 2;
const AF_INET = 2;
const NLA_F_NESTED = 0x8000;
const CTA_TUPLE_ORIG = NLA_F_NESTED | 1;
const CTA_TUPLE_REPLY = NLA_F_NESTED | 2;
const CTA_FILTER = NLA_F_NESTED | 25;
const CTA_FILTER_ORIG_FLAGS = 1;
const CTA_FILTER_REPLY_FLAGS = 2;
const CTA_TUPLE_IP = NLA_F_NESTED | 1;
const CTA_TUPLE_PROTO = NLA_F_NESTED | 2;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
const FILTER_IP_SRC = 1 << 0;
const FILTER_IP_DST = 1 << 1;
const FILTER_PROTO_NUM = 1 << 3;
const FILTER_SRC_PORT = 1 << 4;
const FILTER_DST_PORT = 1 << 5;

function tuple(
  [ipType, ip]: readonly [number, string],
  protocol: number,
  [portType, port]: readonly [number, number],
): readonly Attribute[] {
  const portBytes = Buffer.from([port >> 8, port & 0xff]);
  return [
    [CTA_TUPLE_IP, [[ipType, ipv4Bytes(ip)]]],
    [
      CTA_TUPLE_PROTO,
      [
        [CTA_PROTO_NUM, Buffer.from([protocol])],
        [portType, portBytes],
      ],
    ],
  ];
}
