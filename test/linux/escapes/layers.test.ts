import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRuntimeHost, type RuntimeHost } from '../../support/runtime-host.ts';

let host: RuntimeHost;
beforeEach(async () => {
  host = await openRuntimeHost();
  await host.sandbox();
});
afterEach(() => host.end());

/** Names, owners, modes, times and contents of all files. */
function digest(directory: string): string {
  const hash = createHash('sha256');
  const visit = (path: string) => {
    const { mode, uid, gid, size, mtimeMs } = lstatSync(path);
    hash.update(JSON.stringify([path, mode, uid, gid, size, mtimeMs]));
    if (lstatSync(path).isDirectory())
      for (const name of readdirSync(path).sort()) visit(join(path, name));
    else hash.update(lstatSync(path).isFile() ? readFileSync(path) : readlinkSync(path));
  };
  visit(directory);
  return hash.digest('hex');
}

/** All that root of a container can do to a file, to a directory, and to what replaces them. */
const vandal = (path: string) => `cd ${path}
  echo x >> etc/passwd; chmod 4777 bin/busybox; chown 7:7 etc/group; touch -d 2001-01-01 etc
  mv etc/group etc/gone; rm bin/ls; ln -s / bin/ls; mkdir etc/new; rm -r root
  ln bin/busybox etc/link
  truncate -s 0 bin/cat; dd if=/dev/zero of=etc/passwd bs=1 count=9 conv=notrunc`;

describe('the layers of an image (19)', () => {
  it('are the same after whatever a container did to its files', async () => {
    const before = host.layers.map(digest);
    await host.run(vandal('/'));
    expect(host.layers.map(digest)).toEqual(before);
    expect((await host.run('grep -c . /etc/passwd; ls -ld /root | cut -c1')).output).toEqual([
      '2',
      'd',
    ]);
  });

  it('(bound into the container as they are, they would not be)', async () => {
    const layer = `${host.dir}/layers/copy`;
    cpSync(host.layers[0]!, layer, { recursive: true, verbatimSymlinks: true });
    chmodSync(`${layer}/etc`, 0o777);
    const before = digest(layer);
    const at = { kind: 'directory', name: 'layer', path: layer } as const;
    const source = { ...at, readOnly: false };
    const mount = { source, mountPath: '/layer', subPath: '', readOnly: false };
    await host.run(`${vandal('/layer')}; touch etc/x`, { mounts: [mount] });
    expect(digest(layer)).not.toBe(before);
  });

  it('give nobody of the host root’s rights when a container copies them up', async () => {
    chmodSync(`${host.layers[0]}/bin/busybox`, 0o4755);
    await host.run('chmod 4755 /bin/busybox; touch /bin/busybox; cp -p /bin/busybox /tmp/mine');
    const containers = `${host.dir}/data/pods/a/containers`;
    const written = readdirSync(containers, { recursive: true, encoding: 'utf8' })
      .map((name) => join(containers, name))
      .filter((path) => lstatSync(path).isFile() && (lstatSync(path).mode & 0o4000) !== 0);
    expect(written.map((path) => lstatSync(path).uid)).toEqual(written.map(() => 1_000_000_000));
    expect(written.length).toBeGreaterThan(0);
  });
});

describe('what we write into an image’s root (17)', () => {
  const files = ['etc/hosts', 'etc/hostname', 'etc/resolv.conf', 'dev/termination-log', 'etc/mtab'];

  it.for(files)('never lands where its link %s leads on the host', async (file) => {
    const precious = `${host.dir}/precious`;
    const evil = `${host.dir}/layers/evil`;
    mkdirSync(precious);
    mkdirSync(`${evil}/${file}`, { recursive: true });
    rmdirSync(`${evil}/${file}`);
    symlinkSync(`${'../'.repeat(20)}${precious.slice(1)}/made`, `${evil}/${file}`);
    const image = { ...host.spec('').image, layers: [...host.layers, evil] };
    await host.run('echo x > /dev/termination-log', { image });
    expect(readdirSync(precious)).toEqual([]);
  });
});

describe('the directories of the agent (25)', () => {
  it('are closed to other users of the host', async () => {
    await host.run('true');
    for (const name of ['data', 'run'])
      expect(lstatSync(`${host.dir}/${name}`).mode & 0o077).toBe(0);
  });
});
