import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { wholeFile } from '../../../agent/images/growing-file.ts';
import { defaultLayerLimits } from '../../../agent/images/layer-plan.ts';
import { ensurePackages } from '../../../dev/images/packages.ts';
import { nativeBinary } from '../../../native/binary.ts';
import { cacheDirectory } from '../../support/debian-image.ts';
import { fileListing, processesNaming, useLayerBox } from '../../support/layer-box.ts';
import { type RawTarEntry, tarArchive, tarEntry } from '../../support/tar-archive.ts';
import { listTree } from '../../support/tree-listing.ts';
import { waitFor } from '../../support/wait-for.ts';

const box = useLayerBox();
const { unpack, unpackTar, at } = box;
const text = (path: string) => readFileSync(at(path), 'utf8');
const xattrs = async (path: string) => (await listTree(box.layer)).get(path)?.xattrs;

describe('a Debian tree', () => {
  it.each(['gzip', 'zstd', 'none'] as const)(
    'in %s is unpacked as tar does',
    async (compression) => {
      const [libc] = await ensurePackages(['libc6'], cacheDirectory);
      const tar = execFileSync(
        'dpkg',
        ['--fsys-tarfile', join(cacheDirectory, 'debs', libc!.file)],
        {
          maxBuffer: 1 << 28,
        },
      );
      await unpackTar(tar, { compression });
      const expected = join(box.scratch, 'expected');
      mkdirSync(expected);
      execFileSync('tar', ['-xpPf', '-', '--delay-directory-restore', '-C', expected], {
        input: tar,
      });
      expect(fileListing(box.layer)).toEqual(fileListing(expected));
      execFileSync('diff', ['-r', '--no-dereference', expected, box.layer]);
    },
  );

  it('is refused when it isn’t what the configuration says', async () => {
    const diffId = `sha256:${'0'.repeat(64)}`;
    await expect(unpackTar(tarArchive([{ path: 'a' }]), { diffId })).rejects.toMatchObject({
      reason: 'DigestMismatch',
    });
  });
});

describe('every kind of file', () => {
  it('has its type, mode, owner and time', async () => {
    const mtime = '1700000000.123456789';
    const big = { uid: '4294967294', gid: '4294967294', mtime };
    await unpack(
      { path: 'd/', flag: '5', mode: 0o1777, pax: big },
      { path: 'd/set-id', mode: 0o6755, content: 'x', pax: big },
      { path: 'd/fifo', flag: '6', mode: 0o600, mtime: 5 },
      { path: 'd/null', flag: '3', mode: 0o666, major: 1, minor: 3 },
      { path: 'd/disk', flag: '4', mode: 0o660, major: 8, minor: 1 },
      { path: 'd/link', flag: '2', link: '/nowhere/../at all', pax: big },
      { path: 'd/hard', flag: '1', link: 'd/set-id' },
    );
    const id = '4294967294';
    const time = '1700000000.1234567890';
    const epoch = '0.0000000000';
    expect(fileListing(box.layer)).toEqual([
      '',
      `d d 1777 ${id} ${id} ${time} `,
      `d/disk b 660 0 0 0 ${epoch} `,
      'd/fifo p 600 0 0 0 5.0000000000 ',
      `d/hard f 6755 ${id} ${id} 1 ${time} `,
      `d/link l 777 ${id} ${id} 18 ${time} /nowhere/../at all`,
      `d/null c 666 0 0 0 ${epoch} `,
      `d/set-id f 6755 ${id} ${id} 1 ${time} `,
    ]);
    expect(lstatSync(at('d/hard')).ino).toBe(lstatSync(at('d/set-id')).ino);
    expect(lstatSync(at('d/null')).rdev).toBe(0x103);
  });

  it('keeps its binary attributes, but none of overlayfs’s', async () => {
    const capability = Buffer.from('0100000200042000800000000000000000000000', 'hex');
    await unpack({
      path: 'ping',
      uid: 5,
      content: 'x',
      pax: {
        'SCHILY.xattr.security.capability': capability,
        'SCHILY.xattr.trusted.overlay.redirect': '/etc',
      },
    });
    expect(await xattrs('ping')).toEqual([`security.capability=${capability.toString('hex')}`]);
  });

  it('keeps its access control list, and goes without one that only names users', async () => {
    // Version 2: the owner rw, user 4242 rwx, the group r, at most rwx, others nothing.
    const entries =
      '01000600ffffffff 0200070092100000 04000400ffffffff 10000700ffffffff 20000000ffffffff';
    const list = Buffer.from(`02000000${entries.replaceAll(' ', '')}`, 'hex');
    await unpack(
      { path: 'file', mode: 0o670, pax: { 'SCHILY.xattr.system.posix_acl_access': list } },
      { path: 'dir', flag: '5', pax: { 'SCHILY.xattr.system.posix_acl_default': list } },
      { path: 'tar', pax: { 'SCHILY.acl.access': 'user::rw-\nuser:lisa:rwx\ngroup::r--' } },
      { path: 'nfs', pax: { 'SCHILY.xattr.system.nfs4_acl': list } },
    );
    const all = await listTree(box.layer);
    expect(['file', 'dir', 'tar', 'nfs'].map((path) => all.get(path)?.xattrs)).toEqual([
      [`system.posix_acl_access=${list.toString('hex')}`],
      [`system.posix_acl_default=${list.toString('hex')}`],
      [],
      [],
    ]);
  });

  it('may have a path of 4095 bytes', async () => {
    const path = `${'d/'.repeat(2046)}fff`;
    await unpack({ path: 'x', content: 'deep', pax: { path } });
    expect(execFileSync('find', ['-type', 'f', '-printf', '%P'], { cwd: box.layer }).length).toBe(
      path.length,
    );
  });

  it.each(['gnu', 'pax --sparse-version=0.0', 'pax --sparse-version=0.1', 'pax'])(
    'is sparse where it was, in GNU tar’s format %s',
    async (format) => {
      const size = 64 << 20;
      const original = join(box.scratch, 'blob-original');
      writeFileSync(original, 'begin');
      truncateSync(original, size);
      execFileSync('dd', [
        'if=/dev/urandom',
        `of=${original}`,
        'bs=4k',
        'seek=777',
        'count=3',
        'conv=notrunc',
        'status=none',
      ]);
      const options = ['-C', box.scratch, '-cSf', '-', ...`--format=${format}`.split(' ')];
      await unpackTar(execFileSync('tar', [...options, 'blob-original']));
      execFileSync('cmp', [original, at('blob-original')]);
      const { blocks, size: seen } = lstatSync(at('blob-original'));
      expect({ seen, isSparse: blocks * 512 < 64 << 10 }).toEqual({ seen: size, isSparse: true });
    },
  );

  it('gives way to a later one of its name', async () => {
    await unpack(
      { path: 'a', content: 'old' },
      { path: 'a', content: 'new' },
      { path: 'b/c/d', content: 'x' },
      { path: 'b', flag: '2', link: 'a' },
      { path: 'c', flag: '2', link: 'a' },
      { path: 'c/', flag: '5' },
      { path: 'c/d', content: 'y' },
    );
    expect([text('a'), readlinkSync(at('b')), text('c/d')]).toEqual(['new', 'a', 'y']);
  });

  it('has a name of any bytes', async () => {
    await unpack({ path: 'caf\xe9', content: 'latin1' });
    expect(readdirSync(box.layer, { encoding: 'buffer' })).toEqual([
      Buffer.from('caf\xe9', 'latin1'),
    ]);
  });
});

const opaque = 'trusted.overlay.opaque=79';

describe('a whiteout', () => {
  it('becomes overlayfs’s: a device 0:0, an opaque directory', async () => {
    await unpack(
      { path: 'etc/.wh.motd' },
      { path: 'var/', flag: '5' },
      { path: 'var/.wh..wh..opq' },
      { path: '.wh..wh.plnk', content: 'aufs' },
    );
    const motd = lstatSync(at('etc/motd'));
    expect([motd.isCharacterDevice(), motd.rdev]).toEqual([true, 0]);
    expect(await xattrs('var')).toEqual([opaque]);
    expect(readdirSync(box.layer).sort()).toEqual(['etc', 'var']);
  });

  it('is never seen, even in a directory that no lower layer has, or that is opaque', async () => {
    await unpack(
      { path: 'new/.wh.x' },
      { path: 'old/.wh.x' },
      { path: 'opaque/.wh..wh..opq' },
      { path: 'opaque/.wh.x' },
    );
    const script = `mount -t tmpfs t "$0"; cd "$0"; mkdir -p low/old low/opaque
      touch low/old/x low/opaque/x; mkdir m; mount -t overlay -o "lowerdir=$1:low" o m; ls -R m`;
    const unshare = ['-m', 'sh', '-ec', script, box.outside, box.layer];
    const seen = execFileSync('unshare', unshare, { encoding: 'utf8' });
    expect(seen.split('\n').filter(Boolean)).toEqual([
      ...['m:', 'new', 'old', 'opaque'],
      ...['m/new:', 'm/old:', 'm/opaque:'],
    ]);
  });

  it('doesn’t hide what its own layer has, in whichever order', async () => {
    await unpack(
      { path: 'a/file', content: 'x' },
      { path: '.wh.a' },
      { path: '.wh.b' },
      { path: 'b/file', content: 'y' },
      { path: 'c', content: 'z' },
      { path: '.wh.c' },
    );
    expect([text('a/file'), text('b/file'), text('c')]).toEqual(['x', 'y', 'z']);
    expect([await xattrs('a'), await xattrs('b')]).toEqual([[opaque], [opaque]]);
  });
});

describe('a hostile layer', () => {
  const link = (path: string, to: string): RawTarEntry => ({ path, flag: '2', link: to });
  const hardLink = (path: string, to: string): RawTarEntry => ({ path, flag: '1', link: to });
  const up = '../'.repeat(20);

  let before: readonly string[];
  beforeEach(() => {
    before = box.surroundings();
  });
  afterEach(() => expect(box.surroundings()).toEqual(before));

  it('writes through links only inside itself', async () => {
    await unpack(
      link('absolute', box.outside),
      { path: `absolute/made`, content: 'x' },
      link('climbing', `${up}${box.outside.slice(1)}`),
      { path: 'climbing/too', content: 'y' },
    ).catch(() => undefined);
    await unpack(
      link('etc', '/real'),
      { path: 'real/', flag: '5' },
      { path: 'etc/f', content: 'z' },
    );
    expect(text('real/f')).toBe('z');
  });

  it('is refused when it writes through a link that leads nowhere', async () => {
    await expect(
      unpack(link('l', box.outside), { path: 'l/secret', content: 'x' }),
    ).rejects.toMatchObject({
      reason: 'InvalidLayer',
      message: expect.stringContaining('l/secret'),
    });
  });

  it('replaces a link at the end of a path, and doesn’t write through it', async () => {
    await unpack(link('l', join(box.outside, 'secret')), { path: 'l', content: 'mine' });
    expect(lstatSync(at('l')).isFile()).toBe(true);
  });

  it('makes no device, mode or time change through a link', async () => {
    const before = lstatSync(join(box.outside, 'secret'));
    await unpack(link('l', join(box.outside, 'secret')), {
      path: 'l',
      flag: '3',
      major: 1,
      minor: 3,
      mode: 0o777,
    });
    await unpack({ ...link('m', join(box.outside, 'secret')), mode: 0o777, uid: 7, mtime: 1 });
    const { mode, uid, mtimeMs } = lstatSync(join(box.outside, 'secret'));
    expect({ mode, uid, mtimeMs }).toEqual({
      mode: before.mode,
      uid: before.uid,
      mtimeMs: before.mtimeMs,
    });
  });

  it.each([
    ['straight', [hardLink('stolen', 'l/secret')]],
    [
      'through a chain',
      [
        link('a/b/c/up', '../..'),
        link('a/b/escape', 'c/up/../../../outside'),
        hardLink('stolen', 'a/b/escape/secret'),
      ],
    ],
    ['by an absolute name', [hardLink('stolen', '/l/secret')]],
  ])('links hard to nothing outside: %s', async (_, entries) => {
    await unpack(link('l', box.outside), ...entries).catch(() => undefined);
    expect(existsSync(at('stolen'))).toBe(false);
    expect(lstatSync(join(box.outside, 'secret')).nlink).toBe(1);
  });

  it('doesn’t follow /proc’s links', async () => {
    await expect(
      unpack(link('p', '/proc/self/root'), hardLink('s', `p${box.outside}/secret`)),
    ).rejects.toMatchObject({ reason: 'InvalidLayer' });
  });

  it.each([
    ['climbs by name', { path: '../outside/made', content: 'x' }],
    ['is a link in the place of the layer', link('.', '/etc')],
    ['is a file in the place of the layer', { path: './', flag: '6' }],
    ['hides "."', { path: 'a/.wh..' }],
    ['hides ".."', { path: 'a/.wh...' }],
    ['links hard above itself', hardLink('x', `${up}etc/passwd`)],
    ['links hard to nothing', hardLink('x', 'missing')],
    ['links hard to a directory', hardLink('x', '.')],
  ] as const)('is refused if an entry %s', async (_, entry) => {
    await expect(unpack(entry as RawTarEntry)).rejects.toMatchObject({ reason: 'InvalidLayer' });
  });

  it('is refused if a file is in the way of a directory', async () => {
    await expect(unpack({ path: 'a', content: 'x' }, { path: 'a/b' })).rejects.toMatchObject({
      reason: 'InvalidLayer',
    });
  });

  it('marks opaque only what is inside', async () => {
    await unpack(link('l', box.outside), { path: 'l/.wh..wh..opq' }).catch(() => undefined);
    expect((await listTree(box.outside)).get('.')?.xattrs).toEqual([]);
  });

  it('stops at its limits', async () => {
    const tar = tarArchive([{ path: 'zeros', content: Buffer.alloc(4 << 20) }]);
    const limits = { ...defaultLayerLimits, ratioFromBytes: 1 << 20 };
    await expect(unpackTar(tar, { limits })).rejects.toMatchObject({ reason: 'TooLarge' });
  });

  it('is refused if its compression is broken', async () => {
    const path = join(box.scratch, 'blob-broken');
    writeFileSync(path, 'this is no gzip');
    const blob = wholeFile(path, 15);
    await expect(unpackTar(tarArchive([]), { blob })).rejects.toMatchObject({
      reason: 'InvalidLayer',
    });
  });

  it('has nothing left running when its unpacking is aborted', async () => {
    const path = join(box.scratch, 'blob-endless');
    writeFileSync(path, tarEntry({ path: 'zeros', size: 2 ** 32 }));
    truncateSync(path, 2 ** 32);
    const blob = wholeFile(path, 2 ** 32);
    const controller = new AbortController();
    const request = { blob, compression: 'none', diffId: '', directory: box.layer } as const;
    const unpacking = box.unpacker.unpack(
      {
        ...request,
        compressedBytes: 2 ** 32,
        limits: defaultLayerLimits,
        writer: [nativeBinary, 'orc-unpack'],
      },
      controller.signal,
    );
    const aborted = expect(unpacking).rejects.toThrow('enough');
    await waitFor('the first write', () => existsSync(at('zeros')));
    controller.abort(new Error('enough'));
    await aborted;
    expect(processesNaming(box.layer)).toEqual([]);
  });
});
