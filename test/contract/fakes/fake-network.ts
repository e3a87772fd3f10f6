import {
  type AddressPool,
  allocateAddress,
  emptyPool,
  freeAddress,
} from '../../../agent/network/address-pool.ts';
import { NetworkError } from '../../../agent/network/network-error.ts';
import { checkTable } from '../../../agent/network/network-table.ts';
import { podSideOps } from '../../../agent/network/pod-link.ts';
import type { NetworkPort, NetworkTable } from '../../../agent/ports.ts';
import { parseIpv4Cidr } from '../../../base/ipv4.ts';

/** Addresses in memory, and the table that was applied last. */
export interface FakeNetwork extends NetworkPort {
  readonly table: NetworkTable | undefined;
  /** Links can't be removed until the returned function is called. */
  breakDetach(): () => void;
}

export function fakeNetwork(): FakeNetwork {
  let table: NetworkTable | undefined;
  let pool: AddressPool = emptyPool;
  let broken = false;
  return {
    get table() {
      return table;
    },
    async attach({ uid, runInside }) {
      const cidr = parseIpv4Cidr(table?.podCidr ?? '');
      if (!cidr) throw new NetworkError('NetworkNotReady');
      const allocated = allocateAddress(pool, cidr, uid);
      if (!allocated) throw new NetworkError('NoFreeAddress');
      pool = allocated.pool;
      await runInside(podSideOps(allocated.address, 2));
      return { uid, podIp: allocated.address };
    },
    async detach(uid) {
      if (broken) throw new Error('fake: the link is busy');
      pool = freeAddress(pool, uid);
    },
    async find(uid) {
      const podIp = pool.byUid[uid];
      return podIp === undefined ? undefined : { uid, podIp };
    },
    list: async () => Object.entries(pool.byUid).map(([uid, podIp]) => ({ uid, podIp })),
    breakDetach() {
      broken = true;
      return () => void (broken = false);
    },
    async apply(next) {
      checkTable(next);
      table = next;
    },
  };
}
