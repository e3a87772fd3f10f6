import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ipv4Cidr } from '../../base/ipv4.ts';
import type { Log } from '../../base/log.ts';
import type { PodNetwork } from '../ports.ts';
import { type AddressPool, allocateAddress, emptyPool, freeAddress } from './address-pool.ts';

/**
 * The pool on disk. Not read back from the kernel's routes, because an address stays promised to its pod while it has
 * no link: between a sandbox that died and the next one. Written before an address is used, so that a restarted agent
 * never gives it twice; not synced, because after a power cut it is worthless: no pod survives one either.
 */
export interface AddressBook {
  /** undefined: the CIDR is full. */
  allocate(cidr: Ipv4Cidr, uid: string): string | undefined;
  free(uid: string): void;
  find(uid: string): string | undefined;
  list(): readonly PodNetwork[];
}

export function openAddressBook(dir: string, log: Log): AddressBook {
  const path = join(dir, 'addresses.json');
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  let pool = readPool(path, log);

  const save = (next: AddressPool) => {
    writeFileSync(`${path}.new`, JSON.stringify(next), { mode: 0o600 });
    renameSync(`${path}.new`, path);
    pool = next;
  };
  return {
    allocate(cidr, uid) {
      const allocated = allocateAddress(pool, cidr, uid);
      if (allocated && allocated.pool !== pool) save(allocated.pool);
      return allocated?.address;
    },
    free(uid) {
      if (uid in pool.byUid) save(freeAddress(pool, uid));
    },
    find: (uid) => pool.byUid[uid],
    list: () => Object.entries(pool.byUid).map(([uid, podIp]) => ({ uid, podIp })),
  };
}

function readPool(path: string, log: Log): AddressPool {
  if (!existsSync(path)) return emptyPool;
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as AddressPool;
  } catch (err) {
    log.warn({ err, path }, 'address file is unreadable; starting with an empty one');
    return emptyPool;
  }
}
