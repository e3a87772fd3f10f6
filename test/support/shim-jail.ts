import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { startLauncher } from '../../agent/kernel/launcher.ts';
import type { Shim } from '../../agent/kernel/shim-client.ts';
import { silentLog } from '../../base/log.ts';
import { makeBusyboxRoot } from './busybox.ts';
import { sanitisedBinary, sanitiserReports } from './sanitised.ts';

/** A sanitised shim that can do the machine no harm, whatever it is told to do. */
export interface ShimJail {
  /** Of its run directory, as the machine sees it. */
  readonly runDir: string;
  readonly shim: Shim;
  /** How many descriptors the shim has open. */
  descriptors(): number;
  reports(): readonly string[];
  end(): void;
}

/**
 * Root only in a user namespace that maps nobody else, in a directory without anything of the machine's, with its own
 * processes and network. Ends with its launcher, the first process there.
 */
export async function startShimJail(): Promise<ShimJail> {
  const root = mkdtempSync(`${tmpdir()}/orc-jail-`);
  const runDir = `${root}/run`;
  const ends = [() => rmSync(root, { recursive: true, force: true })];
  const end = () => {
    for (const one of ends.splice(0)) one();
  };
  try {
    await furnish(root);
    const launcher = startLauncher({ binary: `${root}/enter`, log: silentLog });
    ends.unshift(() => launcher.close());
    const shim = await launcher.startShim({ runDir, cgroupProcs: [] });
    ends.unshift(() => shim.disconnect());
    const pid = pidOfShim(root);
    const descriptors = () => readdirSync(`/proc/${pid}/fd`).length;
    return { runDir, shim, descriptors, reports: () => sanitiserReports(root), end };
  } catch (error) {
    end();
    throw error;
  }
}

async function furnish(root: string): Promise<void> {
  await makeBusyboxRoot(root);
  for (const name of ['run', 'volume', 'dev/pts', dirname(root)])
    mkdirSync(`${root}/${name}`, { recursive: true });
  execFileSync('mknod', ['-m', '666', `${root}/dev/null`, 'c', '1', '3']);
  // The launcher and its client call the run directory by one name.
  symlinkSync('/', `${root}/${root}`);
  const libraries = execFileSync('ldd', [sanitisedBinary], { encoding: 'utf8' });
  for (const path of [sanitisedBinary, ...(libraries.match(/\/\S+/g) ?? [])]) {
    const inside = path === sanitisedBinary ? '/orc-native' : path;
    mkdirSync(dirname(`${root}${inside}`), { recursive: true });
    copyFileSync(path, `${root}${inside}`);
  }
  const own = '--user --map-root-user --mount --pid --fork --kill-child --net --ipc --uts --cgroup';
  // Not just chroot: the shim wants a root that is a mount.
  const move = 'mount --bind $0 $0; mount -t proc proc $0/proc; cd $0; pivot_root . .; umount -l .';
  const enter = `exec unshare ${own} sh -ec '${move}; exec /orc-native "$@"' ${root} "$@"`;
  writeFileSync(`${root}/enter`, `#!/bin/sh\n${enter}\n`, { mode: 0o755 });
}

function pidOfShim(root: string): number {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
    if (isShimIn(root, pid)) return Number(pid);
  throw new Error(`no shim in ${root}`);
}

/** Of a process that has just ended nothing can be read. */
function isShimIn(root: string, pid: string): boolean {
  try {
    return (
      readFileSync(`/proc/${pid}/comm`, 'utf8') === 'orc-shim\n' &&
      statSync(`/proc/${pid}/root`).ino === statSync(root).ino
    );
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}
