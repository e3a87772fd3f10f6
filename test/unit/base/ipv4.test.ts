import { expect, it } from 'vitest';
import { cidrContains, formatIpv4, parseIpv4, parseIpv4Cidr } from '../../../base/ipv4.ts';

it.each([
  ['0.0.0.0', 0],
  ['10.244.0.1', 0x0af40001],
  ['255.255.255.255', 0xffffffff],
])('reads and writes %s', (text, address) => {
  expect(parseIpv4(text)).toBe(address);
  expect(formatIpv4(address)).toBe(text);
});

it.each(['', '10.1.2', '10.1.2.256', '10.1.2.3.4', '10.1.2.x', ' 10.1.2.3', '10.01.2.3', '::1'])(
  'does not take "%s" for an address',
  (text) => expect(parseIpv4(text)).toBeUndefined(),
);

it.each([
  ['10.244.5.7/22', { first: 0x0af40400, last: 0x0af407ff, prefix: 22 }],
  ['0.0.0.0/0', { first: 0, last: 0xffffffff, prefix: 0 }],
  ['192.168.1.1/32', { first: 0xc0a80101, last: 0xc0a80101, prefix: 32 }],
])('reads the range %s', (text, expected) => expect(parseIpv4Cidr(text)).toEqual(expected));

it.each(['10.0.0.0', '10.0.0.0/33', '10.0.0/8', 'fd00::/8', '/8'])(
  'does not take "%s" for a range',
  (text) => expect(parseIpv4Cidr(text)).toBeUndefined(),
);

it('knows which addresses are in a range', () => {
  const cidr = { first: 16, last: 31, prefix: 28 };
  expect([15, 16, 31, 32].map((address) => cidrContains(cidr, address))).toEqual([
    false,
    true,
    true,
    false,
  ]);
});
