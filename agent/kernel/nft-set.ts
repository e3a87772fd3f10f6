import { absent, type Netlink } from './netlink.ts';
import { encodeBody, NLM_F, nested } from './netlink-codec.ts';

/**
 * Single elements of a set, by the kernel's own messages: libnftables first reads all sets of the host for it, which
 * takes 5 ms with a thousand services; this takes 0.1. Source: linux/netfilter/nf_tables.h.
 */
export interface SetElement {
  /** An IPv4 table. */
  readonly table: string;
  readonly set: string;
  /** The fields of the set's type one after the other, each padded to four bytes. */
  readonly key: Buffer;
}

/** False: there is no such set. An element that is there already is fine. */
export function addSetElement(netlink: Netlink, element: SetElement): boolean {
  const what = `add an element to set ${element.set}`;
  const body = elementBody(element);
  const request = { type: NFT_MSG.NEWSETELEM, flags: NLM_F.CREATE, body, what };
  return absent(() => netlink.request(request), 'ENOENT') !== undefined;
}

/** That there is no such set, or no such element in it, is fine. */
export function deleteSetElement(netlink: Netlink, element: SetElement): void {
  const what = `delete an element of set ${element.set}`;
  const request = { type: NFT_MSG.DELSETELEM, body: elementBody(element), what };
  absent(() => netlink.request(request), 'ENOENT');
}

/** A link's name as the type `ifname` has it. */
export function interfaceNameKey(name: string): Buffer {
  const key = Buffer.alloc(16);
  key.write(name);
  return key;
}

const NFNL_SUBSYS_NFTABLES = 10 << 8;
const NFT_MSG = { NEWSETELEM: NFNL_SUBSYS_NFTABLES | 12, DELSETELEM: NFNL_SUBSYS_NFTABLES | 14 };
const NFPROTO_IPV4 = 2;
const NFTA_SET_ELEM_LIST = { TABLE: 1, SET: 2, ELEMENTS: 3 };
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_DATA_VALUE = 1;

function elementBody({ table, set, key }: SetElement): Buffer {
  const element = nested(NFTA_SET_ELEM_KEY, [NFTA_DATA_VALUE, key]);
  return encodeBody(
    Buffer.from([NFPROTO_IPV4, 0, 0, 0]),
    [NFTA_SET_ELEM_LIST.TABLE, table],
    [NFTA_SET_ELEM_LIST.SET, set],
    nested(NFTA_SET_ELEM_LIST.ELEMENTS, nested(NFTA_LIST_ELEM, element)),
  );
}
