import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ensurePackages } from '../../dev/images/packages.ts';

const cache = fileURLToPath(new URL('../../.cache', import.meta.url));

/** Debian's static busybox; fetched once into .cache, never installed. */
export async function busyboxBinary(): Promise<string> {
  const [found] = await ensurePackages(['busybox-static'], cache);
  return `${found!.directory}/bin/busybox`;
}

/** Fills `dir` with a small root file system: busybox under all its names, and the usual empty directories. */
export async function makeBusyboxRoot(dir: string): Promise<void> {
  for (const name of ['bin', 'etc', 'root', 'tmp', 'proc', 'sys', 'dev'])
    mkdirSync(`${dir}/${name}`, { recursive: true });
  const binary = await busyboxBinary();
  copyFileSync(binary, `${dir}/bin/busybox`);
  const names = execFileSync(binary, ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const name of names)
    if (!existsSync(`${dir}/bin/${name}`)) symlinkSync('busybox', `${dir}/bin/${name}`);
  writeFileSync(`${dir}/etc/passwd`, 'root:x:0:0:root:/root:/bin/sh\n');
}
