import { fileURLToPath } from 'node:url';
import { ensurePackages } from '../../dev/images/packages.ts';

const cache = fileURLToPath(new URL('../../.cache', import.meta.url));

/** Debian's runc; fetched once into .cache, never installed. */
export async function runcBinary(): Promise<string> {
  const [found] = await ensurePackages(['runc'], cache);
  return `${found!.directory}/usr/sbin/runc`;
}
