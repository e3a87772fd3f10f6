import { cidrContains, formatIpv4, type Ipv4Cidr, parseIpv4 } from '../../base/ipv4.ts';

/** Which pod holds which address. Plain data: what is written to disk is exactly this. */
export interface AddressPool {
  readonly byUid: Readonly<Record<string, string>>;
  /** The address given last: the search for the next one starts behind it, so that a freed one rests a while. */
  readonly last: string | undefined;
}

export const emptyPool: AddressPool = { byUid: {}, last: undefined };

/**
 * The pod's address, the same as before if it has one in this CIDR. undefined: the CIDR is full. The network's own,
 * the first (by custom a router's) and the broadcast address are never given.
 */
export function allocateAddress(pool: AddressPool, cidr: Ipv4Cidr, uid: string) {
  const held = pool.byUid[uid];
  if (held !== undefined && isUsable(cidr, held)) return { pool, address: held };
  const taken = new Set(Object.values(pool.byUid));
  const address = candidates(cidr, pool.last).find((each) => !taken.has(each));
  if (address === undefined) return undefined;
  return { pool: { byUid: { ...pool.byUid, [uid]: address }, last: address }, address };
}

export function freeAddress(pool: AddressPool, uid: string): AddressPool {
  const { [uid]: _freed, ...byUid } = pool.byUid;
  return { byUid, last: pool.last };
}

function* candidates(cidr: Ipv4Cidr, last: string | undefined): Generator<string> {
  const [from, to] = [cidr.first + 2, cidr.last - 1];
  const start = last !== undefined && isUsable(cidr, last) ? (parseIpv4(last) ?? from) + 1 : from;
  for (let address = start; address <= to; address++) yield formatIpv4(address);
  for (let address = from; address < start; address++) yield formatIpv4(address);
}

function isUsable(cidr: Ipv4Cidr, text: string): boolean {
  const address = parseIpv4(text);
  if (address === undefined || !cidrContains(cidr, address)) return false;
  return address >= cidr.first + 2 && address <= cidr.last - 1;
}
