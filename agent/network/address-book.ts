import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostPort } from '../../api/pod-facts.ts';
import type { Ipv4Cidr } from '../../base/ipv4.ts';
import type { Log } from '../../base/log.ts';
import type { PodNetwork } from '../ports.ts';
import { type AddressPool, allocateAddress, emptyPool, freeAddress } from './address-pool.ts';

export interface OpenHostPort extends HostPort {
  readonly podIp: string;
}

/** What is on disk: the pool, and ports by the uid of their pod. */
interface Page extends AddressPool {
  readonly hostPorts: Readonly<Record<string, readonly HostPort[]>>;
}

export type AddressBook = ReturnType<typeof openAddressBook>;

/**
 * The pool on disk. Not read back from the kernel's routes, because an address stays promised to its pod while it has
 * no link: between a sandbox that died and the next one, also over a reboot: others find it where it was, though no
 * controller may be there to tell them otherwise. Written before it is used, so that a restarted agent never gives it
 * twice; not synced, because no pod survives the power cut that could take it back.
 */
export function openAddressBook(dir: string, log: Log) {
  const path = join(dir, 'addresses.json');
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  let page = readPage(path, log);

  const save = (change: Partial<Page>) => {
    const next = { ...page, ...change };
    writeFileSync(`${path}.new`, JSON.stringify(next), { mode: 0o600 });
    renameSync(`${path}.new`, path);
    page = next;
  };
  return {
    /** undefined: the CIDR is full. */
    allocate(cidr: Ipv4Cidr, uid: string): string | undefined {
      const allocated = allocateAddress(page, cidr, uid);
      if (allocated && allocated.pool !== page) save(allocated.pool);
      return allocated?.address;
    },
    /** The pod's from now on. False: they were its before. Its address is freed only without any. */
    setHostPorts(uid: string, ports: readonly HostPort[]): boolean {
      const { [uid]: before = [], ...others } = page.hostPorts;
      if (JSON.stringify(before) === JSON.stringify(ports)) return false;
      save({ hostPorts: ports.length > 0 ? { ...others, [uid]: ports } : others });
      return true;
    },
    /** Of all pods. */
    hostPorts: (): readonly OpenHostPort[] =>
      Object.entries(page.hostPorts).flatMap(([uid, ports]) => {
        const podIp = page.byUid[uid];
        return podIp === undefined ? [] : ports.map((port) => ({ ...port, podIp }));
      }),
    free(uid: string): void {
      if (uid in page.byUid) save(freeAddress(page, uid));
    },
    find: (uid: string) => page.byUid[uid],
    list: (): readonly PodNetwork[] =>
      Object.entries(page.byUid).map(([uid, podIp]) => ({ uid, podIp })),
  };
}

const emptyPage: Page = { ...emptyPool, hostPorts: {} };

function readPage(path: string, log: Log): Page {
  if (!existsSync(path)) return emptyPage;
  try {
    return { ...emptyPage, ...(JSON.parse(readFileSync(path, 'utf8')) as Page) };
  } catch (err) {
    log.warn({ err, path }, 'address file is unreadable; starting with an empty one');
    return emptyPage;
  }
}
