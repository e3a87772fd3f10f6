import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ensurePackages } from '../../dev/images/packages.ts';

const cache = fileURLToPath(new URL('../../.cache', import.meta.url));

/** Debian's runc; fetched once into .cache, never installed. */
export async function runcBinary(): Promise<string> {
  const [found] = await ensurePackages(['runc'], cache);
  return `${found!.directory}/usr/sbin/runc`;
}

/**
 * Debian's crun with the library that nothing else on a host brings, as a command in `dir`. It refuses to work where it
 * sees the unified tree of a hybrid host beside those of version 1: it doesn't see that here.
 */
export async function crunCommand(dir: string): Promise<string> {
  const [crun, yajl] = await ensurePackages(['crun', 'libyajl2'], cache);
  const libraries = `${yajl!.directory}/usr/lib/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu`;
  const hide = '! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified';
  const script = `${hide}; LD_LIBRARY_PATH=${libraries} exec ${crun!.directory}/usr/bin/crun "$@"`;
  const within = `exec unshare --mount --propagation slave sh -c '${script}' crun "$@"`;
  writeFileSync(`${dir}/crun`, `#!/bin/sh\n${within}\n`, { mode: 0o755 });
  return `${dir}/crun`;
}

/** Debian's runc, but a verb for which there is a file `hang-VERB` in the directory never ends; its pid is then in `pid`. */
export async function hangingRuntime(dir: string): Promise<string> {
  const hang = `[ -e ${dir}/hang-$word ] && echo $$ > ${dir}/pid && exec sleep 1000`;
  const script = `for word; do ${hang}; done\nexec ${await runcBinary()} "$@"`;
  writeFileSync(`${dir}/runtime`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return `${dir}/runtime`;
}
