import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { filesBelow, type LayerFile, textFile } from './layer.ts';
import type { DebianPackage } from './packages.ts';

export interface LayerRecipe {
  /** Shown in the image's history. */
  readonly comment: string;
  /** Debian packages whose files are in the layer, without documentation and translations. */
  readonly packages: readonly string[];
  /** Files of our own; they win over the packages'. */
  readonly files: readonly LayerFile[];
}

/** Documentation, translations, what only an installed system needs. */
const leftOut = [
  /^usr\/share\/(doc|man|lintian|locale|bug|initramfs-tools)(\/|$)/,
  /^etc\/(init\.d|logrotate\.d|ufw|default)(\/|$)/,
  /^(lib\/systemd|usr\/lib\/[^/]+\/gconv)(\/|$)/,
];

/** Later packages and then the recipe's own files replace earlier ones of the same path. */
export async function layerFiles(recipe: LayerRecipe, packages: readonly DebianPackage[]) {
  const wanted = packages.filter((p) => recipe.packages.includes(p.file.replace(/_.*/, '')));
  const links = await Promise.all(wanted.map(appletLinks));
  const isKept = (path: string) => !leftOut.some((pattern) => pattern.test(path));
  const shipped = wanted.map((p) => filesBelow(p.directory, isKept));
  return [...links.flat(), ...shipped.flat(), ...recipe.files];
}

/** busybox is one program; the shell finds its commands by these names. */
async function appletLinks(p: DebianPackage): Promise<readonly LayerFile[]> {
  if (!p.file.startsWith('busybox-static_')) return [];
  const { stdout } = await promisify(execFile)(join(p.directory, 'bin/busybox'), ['--list']);
  const applets = stdout.split('\n').filter((name) => name !== '' && name !== 'busybox');
  return applets.map((name) => ({ path: `bin/${name}`, type: 'symlink', to: 'busybox' }));
}

/** The accounts that Debian's own packages expect. */
export const accounts: readonly LayerFile[] = [
  textFile(
    'etc/passwd',
    [
      'root:x:0:0:root:/root:/bin/sh',
      'www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin',
      'redis:x:999:999:redis:/data:/usr/sbin/nologin',
      'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
      '',
    ].join('\n'),
  ),
  textFile('etc/group', 'root:x:0:\nadm:x:4:\nwww-data:x:33:\nredis:x:999:\nnogroup:x:65534:\n'),
  textFile('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n'),
  { path: 'root', type: 'directory', mode: 0o700 },
  { path: 'tmp', type: 'directory', mode: 0o1777 },
  { path: 'run', type: 'directory', mode: 0o755 },
  { path: 'var/tmp', type: 'directory', mode: 0o1777 },
];
