import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ensurePackages } from '../../dev/images/packages.ts';

const cache = fileURLToPath(new URL('../../.cache', import.meta.url));

/** Debian's own; fetched once into .cache, never installed. */
export async function runcBinary(): Promise<string> {
  const [found] = await ensurePackages(['runc'], cache);
  return `${found!.directory}/usr/sbin/runc`;
}

/** Needs `libraryPath` in LD_LIBRARY_PATH: libraries that a host may lack. */
export async function crunBinary(): Promise<{ path: string; libraryPath: string }> {
  const names = ['crun', 'libyajl2', 'libseccomp2', 'libcap2', 'libsystemd0'];
  const [crun, ...libraries] = await ensurePackages(names, cache);
  const machine = process.arch === 'x64' ? 'x86_64' : 'aarch64';
  const paths = libraries.flatMap(({ directory }) =>
    ['usr/lib', 'lib'].map((lib) => `${directory}/${lib}/${machine}-linux-gnu`),
  );
  return { path: `${crun!.directory}/usr/bin/crun`, libraryPath: paths.join(':') };
}

/** In a mount namespace, for a shell: crun 1.8 refuses to work where it sees the unified tree of a hybrid host. */
export const hideUnified =
  '! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified';

/** As one command in `dir`, which brings all that crun needs. */
export async function crunCommand(dir: string): Promise<string> {
  const { path, libraryPath } = await crunBinary();
  const script = `${hideUnified}; LD_LIBRARY_PATH=${libraryPath} exec ${path} "$@"`;
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
