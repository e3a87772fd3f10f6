import { networkInterfaces } from 'node:os';

/** IPv4 addresses at which other machines may find this one, in the kernel's order of interfaces. */
export const hostAddresses = (): readonly string[] =>
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
