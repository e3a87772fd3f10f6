import { absent, type Netlink } from './netlink.ts';
import { type Attribute, encodeBody, nested } from './netlink-codec.ts';
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
  const to = tuple([CTA_IP_V4.DST, target.ip], number, [CTA_PROTO.DST_PORT, target.port]);
  const from = tuple([CTA_IP_V4.SRC, endpoint.ip], number, [CTA_PROTO.SRC_PORT, endpoint.port]);
  const body = encodeBody(
    Buffer.from([AF_INET, 0, 0, 0]),
    nested(CTA.TUPLE_ORIG, ...to),
    nested(CTA.TUPLE_REPLY, ...from),
    nested(
      CTA.FILTER,
      [CTA_FILTER.ORIG_FLAGS, compared.IP_DST | compared.PROTO_NUM | compared.DST_PORT],
      [CTA_FILTER.REPLY_FLAGS, compared.IP_SRC | compared.PROTO_NUM | compared.SRC_PORT],
    ),
  );
  const what = `forget flows to ${endpoint.ip}`;
  absent(() => netlink.request({ type: IPCTNL_MSG_CT_DELETE, body, what }), 'ENOENT');
}

const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_DELETE = (NFNL_SUBSYS_CTNETLINK << 8) | 2;
const AF_INET = 2;
const CTA = { TUPLE_ORIG: 1, TUPLE_REPLY: 2, FILTER: 25 };
const CTA_TUPLE = { IP: 1, PROTO: 2 };
const CTA_IP_V4 = { SRC: 1, DST: 2 };
const CTA_PROTO = { NUM: 1, SRC_PORT: 2, DST_PORT: 3 };
const CTA_FILTER = { ORIG_FLAGS: 1, REPLY_FLAGS: 2 };
/** Bits of a filter's flags: what of the tuple must be the same. */
const compared = { IP_SRC: 1, IP_DST: 2, PROTO_NUM: 8, SRC_PORT: 16, DST_PORT: 32 };

function tuple(
  [ipType, ip]: readonly [number, string],
  protocol: number,
  [portType, port]: readonly [number, number],
): readonly Attribute[] {
  const portBytes = Buffer.from([port >> 8, port & 0xff]);
  return [
    nested(CTA_TUPLE.IP, [ipType, ipv4Bytes(ip)]),
    nested(CTA_TUPLE.PROTO, [CTA_PROTO.NUM, Buffer.from([protocol])], [portType, portBytes]),
  ];
}
