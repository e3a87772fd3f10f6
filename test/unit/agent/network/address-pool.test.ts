import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type AddressPool,
  allocateAddress,
  emptyPool,
  freeAddress,
} from '../../../../agent/network/address-pool.ts';
import { parseIpv4Cidr } from '../../../../base/ipv4.ts';

const cidr = parseIpv4Cidr('10.244.4.0/29')!;

function allocated(pool: AddressPool, uid: string): [AddressPool, string] {
  const result = allocateAddress(pool, cidr, uid);
  if (!result) throw new Error('full');
  return [result.pool, result.address];
}

it('skips the network, the first and the broadcast address', () => {
  let pool = emptyPool;
  const given: string[] = [];
  for (const uid of ['a', 'b', 'c', 'd', 'e']) {
    const [next, address] = allocated(pool, uid);
    pool = next;
    given.push(address);
  }
  expect(given).toEqual([2, 3, 4, 5, 6].map((last) => `10.244.4.${last}`));
  expect(allocateAddress(pool, cidr, 'f')).toBeUndefined();
});

it('gives the same pod the same address, and changes nothing', () => {
  const [pool, address] = allocated(emptyPool, 'a');
  expect(allocateAddress(pool, cidr, 'a')).toEqual({ pool, address });
});

it('lets a freed address rest for as long as there are others', () => {
  let [pool] = allocated(emptyPool, 'a');
  [pool] = allocated(pool, 'b');
  pool = freeAddress(pool, 'b');
  const [next, address] = allocated(pool, 'c');
  expect(address).toBe('10.244.4.4');
  expect(allocated(freeAddress(next, 'a'), 'd')[1]).toBe('10.244.4.5');
});

it('gives a pod a new address when the CIDR has become another', () => {
  const [pool] = allocated(emptyPool, 'a');
  const elsewhere = parseIpv4Cidr('10.244.8.0/29')!;
  expect(allocateAddress(pool, elsewhere, 'a')?.address).toBe('10.244.8.2');
});

it('never gives one address to two pods, whatever comes and goes', () => {
  const step = fc.tuple(fc.boolean(), fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let pool = emptyPool;
      for (const [takes, uid] of steps)
        pool = takes ? (allocateAddress(pool, cidr, uid)?.pool ?? pool) : freeAddress(pool, uid);
      const addresses = Object.values(pool.byUid);
      expect(new Set(addresses).size).toBe(addresses.length);
    }),
  );
});
