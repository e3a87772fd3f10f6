import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ensurePackages } from '../../dev/images/packages.ts';

const cache = fileURLToPath(new URL('../../.cache', import.meta.url));

/** Debian's runc; fetched once into .cache, never installed. */
export async function runcBinary(): Promise<string> {
  const [found] = await ensurePackages(['runc'], cache);
  return `${found!.directory}/usr/sbin/runc`;
}

/** The same, but a verb for which there is a file `hang-VERB` in the directory never ends; its pid is then in `pid`. */
export async function hangingRuntime(dir: string): Promise<string> {
  const hang = `[ -e ${dir}/hang-$word ] && echo $$ > ${dir}/pid && exec sleep 1000`;
  const script = `for word; do ${hang}; done\nexec ${await runcBinary()} "$@"`;
  writeFileSync(`${dir}/runtime`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return `${dir}/runtime`;
}
