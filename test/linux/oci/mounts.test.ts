import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OciMount } from '../../../agent/oci/oci-spec.ts';
import { type OciBox, type Over, openOciBox, type Started } from '../../support/oci-box.ts';

let box: OciBox;
beforeAll(async () => {
  box = await openOciBox();
});
afterAll(() => box?.end());

/** A directory of the host with a file in it. */
function makeSource(name: string): string {
  const path = `${box.dir}/${name}`;
  rmSync(path, { recursive: true, force: true });
  mkdirSync(`${path}/sub`, { recursive: true });
  writeFileSync(`${path}/file`, 'of the host\n');
  return path;
}

const bind = (source: string, options: readonly string[], destination = '/v'): OciMount => ({
  ...{ type: 'bind', source, destination, options },
});

/** Options of what is mounted there, as the host sees the container's mount namespace. */
async function mounted(
  over: Over,
  wanted: string,
): Promise<{
  readonly options: readonly string[];
  readonly own: readonly string[];
  readonly shared: string;
}> {
  const started = await box.start('exec sleep 1000', over);
  try {
    const line = readFileSync(`/proc/${started.pid}/mountinfo`, 'utf8')
      .split('\n')
      .findLast((each) => each.split(' ')[4] === wanted);
    const [before = '', after = ''] = (line ?? '').split(' - ');
    const fields = before.split(' ');
    const own = (fields[5] ?? '').split(',');
    const options = [...own, ...(after.split(' ')[2] ?? '').split(',')];
    return { options, own, shared: fields.slice(6).join(' ').replaceAll(/\d+/g, 'N') };
  } finally {
    await started.stop();
  }
}

it('root.path: the directory is the root, and what is written is there', async () => {
  expect(await box.run('echo mine > /tmp/written; cat /tmp/written')).toEqual(['mine']);
  expect(readFileSync(`${box.rootfs}/tmp/written`, 'utf8')).toBe('mine\n');
});

it('root.readonly: nothing is written', async () => {
  const spec = { root: { path: 'rootfs', readonly: true } };
  expect(await box.run('touch /tmp/x; touch /dev/shm/y && echo shm', { spec })).toEqual([
    'touch: /tmp/x: Read-only file system',
    'shm',
  ]);
  expect((await mounted({ spec }, '/')).options).toContain('ro');
});

describe('linux.rootfsPropagation:', () => {
  it('the root is private if nothing is said', async () => {
    expect((await mounted({}, '/')).shared).toBe('');
  });

  it.each([
    ['shared', 'shared:N'],
    ['rshared', 'shared:N'],
    ['private', ''],
    ['unbindable', 'unbindable'],
  ])('%s', async (rootfsPropagation, expected) => {
    expect((await mounted({ linux: { rootfsPropagation } }, '/')).shared).toBe(expected);
  });
});

describe('mounts.destination:', () => {
  it('is made if it isn’t there, a file for a file', async () => {
    const source = makeSource('d');
    const mounts = [bind(source, [], '/made/dir'), bind(`${source}/file`, [], '/made/file')];
    expect(await box.run('cat /made/dir/file /made/file', { mounts })).toEqual([
      'of the host',
      'of the host',
    ]);
  });

  it('starts at the root even if it doesn’t say so', async () => {
    const mounts = [bind(makeSource('d'), [], 'relative/place')];
    expect(await box.run('cat /relative/place/file', { mounts })).toEqual(['of the host']);
  });

  it('stays in the root whatever links the root file system has', async () => {
    rmSync(`${box.rootfs}/away`, { force: true });
    symlinkSync('/../../../../tmp', `${box.rootfs}/away`);
    const mounts = [bind(makeSource('d'), [], '/away/orc-escaped')];
    expect(await box.run('cat /tmp/orc-escaped/file', { mounts })).toEqual(['of the host']);
    expect(statSync('/tmp/orc-escaped', { throwIfNoEntry: false })).toBeUndefined();
  });
});

it('mounts.type: whatever file system that the kernel has', async () => {
  const mounts = [{ type: 'ramfs', source: 'mine', destination: '/ram', options: [] }];
  expect(await box.run('grep /ram /proc/mounts', { mounts })).toEqual([
    'mine /ram ramfs rw,relatime 0 0',
  ]);
});

it('mounts.type: cgroup shows the container’s own groups', async () => {
  const path = makeSource('cg');
  const place = { cgroups: [{ controller: 'memory', path }] };
  const mounts = [{ type: 'cgroup', destination: '/sys/fs/cgroup', options: ['ro'] }];
  const script = 'cat /sys/fs/cgroup/memory/file; touch /sys/fs/cgroup/memory/x';
  expect(await box.run(script, { mounts, place })).toEqual([
    'of the host',
    expect.stringMatching(/Read-only/),
  ]);
});

it('mounts.source: a path of the bundle if it is relative', async () => {
  makeSource('beside');
  const mounts = [bind('beside', [])];
  expect(await box.run('cat /v/file', { mounts })).toEqual(['of the host']);
});

describe('mounts.options:', () => {
  const rows: readonly [string, readonly string[], readonly string[]][] = [
    ['ro', ['ro'], ['rw']],
    ['nosuid,nodev,noexec', ['nosuid', 'nodev', 'noexec'], []],
    ['nosuid,suid,nodev,dev,noexec,exec,ro,rw', ['rw'], ['nosuid', 'nodev', 'noexec', 'ro']],
    ['noatime,nodiratime', ['noatime', 'nodiratime'], ['relatime']],
    ['strictatime', [], ['relatime', 'noatime']],
    ['relatime', ['relatime'], []],
    ['nosymfollow', ['nosymfollow'], []],
  ];
  it.each(rows)('%s of a bind mount', async (text, has, lacks) => {
    const mounts = [bind(makeSource('o'), text.split(','))];
    const { options, own } = await mounted({ mounts }, '/v');
    expect(options).toEqual(expect.arrayContaining([...has]));
    expect(lacks.filter((name) => own.includes(name))).toEqual([]);
  });

  it.each(rows)('%s of a new file system', async (text, has, lacks) => {
    const mounts = [{ type: 'tmpfs', destination: '/t', options: text.split(',') }];
    const { options, own } = await mounted({ mounts }, '/t');
    expect(options).toEqual(expect.arrayContaining([...has]));
    expect(lacks.filter((name) => own.includes(name))).toEqual([]);
  });

  it('sync, dirsync, size and mode are the file system’s own', async () => {
    const options = ['sync', 'dirsync', 'size=8k', 'mode=700'];
    const found = await mounted({ mounts: [{ type: 'tmpfs', destination: '/t', options }] }, '/t');
    expect(found.options).toEqual(
      expect.arrayContaining(['rw', 'sync', 'dirsync', 'size=8k', 'mode=700']),
    );
  });

  it('rbind takes what is mounted below, bind doesn’t, and rro makes all of it read-only', async () => {
    const source = makeSource('tree');
    const target = `${source}/sub`;
    await box.shim.run([
      { op: 'mount', source: 'deep', target, fstype: 'tmpfs', flags: 0, data: 'size=4k' },
    ]);
    const script = 'grep -c deep /proc/mounts; touch /v/x && echo top; touch /v/sub/x && echo deep';
    const lines = (...options: string[]) => box.run(script, { mounts: [bind(source, options)] });
    expect(await lines('bind')).toEqual(['0', 'top', 'deep']);
    expect(await lines('rbind')).toEqual(['1', 'top', 'deep']);
    expect(await lines('rbind', 'ro')).toEqual([
      '1',
      expect.stringMatching(/^touch: .v.x: Read-only/),
      'deep',
    ]);
    const refused = expect.stringMatching(/Read-only/);
    expect(await lines('rbind', 'rro')).toEqual(['1', refused, refused]);
    expect(
      (
        await mounted(
          { mounts: [bind(source, ['rbind', 'rnosuid', 'rnoexec', 'rnoatime'])] },
          '/v/sub',
        )
      ).options,
    ).toEqual(expect.arrayContaining(['nosuid', 'noexec', 'noatime']));
    await box.shim.run([{ op: 'set-mount', path: target, propagation: 1n << 18n }]);
  });

  it('remount changes what is there', async () => {
    const mounts = [
      { type: 'tmpfs', destination: '/t', options: [] },
      { destination: '/t', options: ['remount', 'ro', 'nosuid'] },
    ];
    expect((await mounted({ mounts }, '/t')).options).toEqual(
      expect.arrayContaining(['ro', 'nosuid']),
    );
  });

  it('tmpcopyup copies what the image had there', async () => {
    mkdirSync(`${box.rootfs}/full/inner`, { recursive: true });
    writeFileSync(`${box.rootfs}/full/inner/a`, 'copied\n');
    chmodSync(`${box.rootfs}/full/inner/a`, 0o646);
    chownSync(`${box.rootfs}/full/inner/a`, 12, 34);
    symlinkSync('inner/a', `${box.rootfs}/full/link`);
    const mounts = [{ type: 'tmpfs', destination: '/full', options: ['tmpcopyup'] }];
    const script = 'cat /full/link; stat -c "%a %u %g" /full/inner/a; echo x > /full/inner/a';
    expect(await box.run(script, { mounts })).toEqual(['copied', '646 12 34']);
    expect(readFileSync(`${box.rootfs}/full/inner/a`, 'utf8')).toBe('copied\n');
  });

  it('private, slave, shared: who sees new mounts of whom', async () => {
    const source = makeSource('p');
    const mountAt = (target: string) =>
      ({ op: 'mount', source: 'x', target, fstype: 'tmpfs', flags: 0, data: 'size=4k' }) as const;
    await box.shim.run([
      mountAt(source),
      { op: 'set-mount', path: source, propagation: 1n << 20n },
    ]);
    mkdirSync(`/proc/${box.shim.pid}/root${source}/sub`, { recursive: true });
    const started: Started[] = [];
    for (const option of ['rprivate', 'rslave'])
      started.push(
        await box.start('exec sleep 1000', { mounts: [bind(source, ['rbind', option])] }),
      );
    await box.shim.run([mountAt(`${source}/sub`)]);
    const counts = await Promise.all(
      started.map((each) => each.exec('grep -c " /v/sub " /proc/mounts')),
    );
    expect(counts).toEqual([['0'], ['1']]);
    for (const each of started) await each.stop();
    expect((await mounted({ mounts: [bind(source, ['shared'])] }, '/v')).shared).toMatch(
      /shared:N/,
    );
    expect((await mounted({ mounts: [bind(source, ['rslave'])] }, '/v')).shared).toMatch(
      /^master:N/,
    );
    expect((await mounted({ mounts: [bind(source, ['slave', 'unbindable'])] }, '/v')).shared).toBe(
      'unbindable',
    );
  });
});

describe('mounts.uidMappings, mounts.gidMappings:', () => {
  const maps = [{ containerID: 0, hostID: 5000, size: 10 }];
  const owned = (name: string) => {
    const source = makeSource(name);
    chownSync(`${source}/file`, 0, 3);
    return source;
  };

  it('ids of the file system are shifted, of this mount only', async () => {
    const source = owned('idmapped');
    const mounts = [
      { ...bind(source, []), uidMappings: maps, gidMappings: maps },
      bind(source, [], '/plain'),
    ];
    expect(await box.run('stat -c "%u %g" /v/file /plain/file', { mounts })).toEqual([
      '5000 5003',
      '0 3',
    ]);
    expect(statSync(`${source}/file`).uid).toBe(0);
  });

  it('idmap alone takes the container’s', async () => {
    const ids = [{ containerID: 0, hostID: 1_000_000, size: 65_536 }];
    const source = owned('idmapped');
    const types = ['mount', 'pid', 'network', 'ipc', 'uts', 'user'] as const;
    const linux = {
      uidMappings: ids,
      gidMappings: ids,
      namespaces: types.map((type) => ({ type })),
    };
    const mounts = [bind(source, ['idmap']), bind(source, [], '/plain')];
    expect(await box.run('stat -c "%u %g" /v/file /plain/file', { mounts, linux })).toEqual([
      '0 3',
      '65534 65534',
    ]);
  });

  it('ridmap shifts those below, too', async () => {
    const source = owned('deeper');
    const target = `${source}/sub`;
    await box.shim.run([
      { op: 'mount', source: 'deep', target, fstype: 'tmpfs', flags: 0, data: 'size=4k' },
    ]);
    const mounts = [{ ...bind(source, ['rbind', 'ridmap']), uidMappings: maps, gidMappings: maps }];
    expect(await box.run('stat -c "%u" /v/file /v/sub', { mounts })).toEqual(['5000', '5000']);
  });
});

it('linux.maskedPaths: a file is empty, a directory is empty and can’t be written to', async () => {
  const linux = { maskedPaths: ['/proc/version', '/etc', '/absent/path'] };
  const script =
    'wc -c < /proc/version; ls /etc | wc -l; touch /etc/x; echo x > /proc/version && echo gone';
  expect(await box.run(script, { linux })).toEqual([
    '0',
    '0',
    'touch: /etc/x: Read-only file system',
    'gone',
  ]);
});

it('linux.maskedPaths: what hides a file can’t be changed, not even by the host’s root', async () => {
  const owner = ['CAP_FOWNER', 'CAP_CHOWN'];
  const capabilities = { bounding: owner, effective: owner, permitted: owner };
  const over = { linux: { maskedPaths: ['/proc/keys'] }, process: { capabilities } };
  expect(await box.run('chmod 666 /proc/keys; echo x > /proc/keys && echo gone', over)).toEqual([
    'chmod: /proc/keys: Read-only file system',
    'gone',
  ]);
});

it('linux.readonlyPaths: can be read, not written to', async () => {
  const linux = { readonlyPaths: ['/proc/sys', '/tmp', '/absent/path'] };
  const script = 'cat /proc/sys/kernel/ostype; touch /tmp/x; echo 1 > /proc/sys/kernel/hostname';
  expect(await box.run(script, { linux })).toEqual([
    'Linux',
    'touch: /tmp/x: Read-only file system',
    expect.stringMatching(/Read-only file system/),
  ]);
});

it('linux.mountLabel: is refused in words where SELinux isn’t active', async () => {
  await expect(box.run('true', { linux: { mountLabel: 'a:b:c' } })).rejects.toMatchObject({
    field: 'linux.mountLabel',
    reason: 'missing in this kernel',
  });
});

describe('linux.devices:', () => {
  it('the default ones and the links are always there, and work', async () => {
    const script = `ls /dev; head -c 3 /dev/zero | wc -c; echo x > /dev/null; echo x > /dev/full; readlink /dev/fd; readlink /dev/ptmx`;
    const words = 'fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero';
    expect(await box.run(script)).toEqual([
      ...words.split(' '),
      '3',
      expect.stringMatching(/No space left/),
      '/proc/self/fd',
      'pts/ptmx',
    ]);
  });

  it('others have their type, numbers, mode and owner, and stand for a default one', async () => {
    const linux = {
      devices: [
        { path: '/dev/mine', type: 'c', major: 1, minor: 5, fileMode: 0o644, uid: 12, gid: 34 },
        { path: '/dev/deep/block', type: 'b', major: 7, minor: 99, fileMode: 0o600 },
        { path: '/dev/unbuffered', type: 'u', major: 1, minor: 3 },
        { path: '/dev/pipe', type: 'p' },
        { path: '/dev/null', type: 'c', major: 1, minor: 3, fileMode: 0o600 },
      ] as const,
    };
    const script =
      'stat -c "%n %F %t:%T %a %u:%g" /dev/mine /dev/deep/block /dev/unbuffered /dev/pipe /dev/null; head -c 2 /dev/mine | wc -c';
    expect(await box.run(script, { linux })).toEqual([
      '/dev/mine character special file 1:5 644 12:34',
      '/dev/deep/block block special file 7:63 600 0:0',
      '/dev/unbuffered character special file 1:3 666 0:0',
      '/dev/pipe fifo 0:0 666 0:0',
      '/dev/null character special file 1:3 600 0:0',
      '2',
    ]);
  });

  it('may be there already, if they are the same', async () => {
    const spec = { mounts: [{ type: 'proc', destination: '/proc' }] };
    for (let i = 0; i < 2; i++) expect(await box.run('ls /dev | wc -l', { spec })).toEqual(['11']);
    rmSync(`${box.rootfs}/dev/null`);
    writeFileSync(`${box.rootfs}/dev/null`, '');
    await expect(box.run('true', { spec })).rejects.toMatchObject({ code: 'EEXIST' });
    rmSync(`${box.rootfs}/dev/null`);
  });

  it('are none of ours where the host’s /dev is bound', async () => {
    const mounts = [bind(makeSource('dev'), ['bind'], '/dev')];
    const spec = { mounts: [{ type: 'proc', destination: '/proc' }, ...mounts] };
    expect(await box.run('ls /dev', { spec })).toEqual(['file', 'sub']);
  });

  it('are all that opens when they are locked: a node made later doesn’t, whoever makes it', async () => {
    const script =
      'mknod /dev/mine c 1 5; head -c 1 /dev/mine | wc -c; head -c 1 /dev/zero | wc -c';
    const locked = await box.run(script, { place: { lockDevices: true } });
    expect(locked).toEqual(['head: /dev/mine: Permission denied', '0', '1']);
    expect(await box.run(script)).toEqual(['1', '1']);
  });
});
