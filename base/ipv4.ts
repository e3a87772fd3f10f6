import { isIPv4 } from 'node:net';

/** "10.1.2.3" as an unsigned 32-bit number; undefined if it is not a dotted IPv4 address: "010" is octal to others. */
export function parseIpv4(text: string): number | undefined {
  if (!isIPv4(text)) return undefined;
  return text.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
}

export const formatIpv4 = (address: number): string =>
  [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');

export interface Ipv4Cidr {
  /** The network's first address, host bits cleared. */
  readonly first: number;
  readonly last: number;
  readonly prefix: number;
}

/** "10.244.0.0/22"; undefined if it is not IPv4 with a prefix of 0 to 32. */
export function parseIpv4Cidr(text: string): Ipv4Cidr | undefined {
  const match = /^([\d.]+)\/(\d{1,2})$/.exec(text);
  const address = parseIpv4(match?.[1] ?? '');
  const prefix = Number(match?.[2]);
  if (address === undefined || prefix > 32) return undefined;
  const size = 2 ** (32 - prefix);
  const first = Math.floor(address / size) * size;
  return { first, last: first + size - 1, prefix };
}

export const formatIpv4Cidr = ({ first, prefix }: Ipv4Cidr) => `${formatIpv4(first)}/${prefix}`;

export const cidrContains = (cidr: Ipv4Cidr, address: number): boolean =>
  address >= cidr.first && address <= cidr.last;
