import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { wholeFile } from '../../../agent/images/growing-file.ts';
import { defaultLayerLimits } from '../../../agent/images/layer-plan.ts';
import { tarReader } from '../../../agent/images/tar-reader.ts';
import type { UnpackRequest } from '../../../agent/images/unpack-layer.ts';
import { openUnpacker } from '../../../agent/images/unpacker.ts';
import { systemClock } from '../../../base/clock.ts';
import { ensurePackages } from '../../../dev/images/packages.ts';
import { nativeBinary } from '../../../native/binary.ts';
import { cacheDirectory } from '../../support/debian-image.ts';
import { type RawTarEntry, tarArchive, tarEntry } from '../../support/tar-archive.ts';
import { waitFor } from '../../support/wait-for.ts';

const unpacker = openUnpacker(systemClock());
afterAll(() => unpacker.close());

let scratch: string;
let layer: string;
let outside: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'orc-unpack-'));
  layer = join(scratch, 'unfinished', 'layer');
  outside = join(scratch, 'outside');
  mkdirSync(layer, { recursive: true });
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'untouched');
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

async function unpackTar(tar: Buffer, more: Partial<UnpackRequest> = {}): Promise<void> {
  const blob = join(scratch, 'blob');
  const compress = { gzip: gzipSync, zstd: zstdCompressSync, none: (bytes: Buffer) => bytes };
  const compression = more.compression ?? 'gzip';
  const bytes = compress[compression](tar);
  writeFileSync(blob, bytes);
  const request: UnpackRequest = {
    blob: wholeFile(blob, bytes.length),
    compressedBytes: bytes.length,
    compression,
    diffId: `sha256:${createHash('sha256').update(tar).digest('hex')}`,
    directory: layer,
    writer: [nativeBinary, 'orc-unpack'],
    limits: defaultLayerLimits,
    ...more,
  };
  await unpacker.unpack(request, new AbortController().signal);
}

const unpack = (...entries: RawTarEntry[]) => unpackTar(tarArchive(entries));
const at = (path: string) => join(layer, path);
const text = (path: string) => readFileSync(at(path), 'utf8');

/** Everything about a tree that an archive can say, in GNU find's words. */
function listing(directory: string): string[] {
  const format = '%P %y %m %U %G %s %T@ %l\\n';
  const lines = execFileSync('find', [directory, '-mindepth', '1', '-printf', format], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  const withoutDirectorySize = (line: string) => line.replace(/^(.* d \d+ \d+ \d+) \d+/, '$1');
  return lines.split('\n').map(withoutDirectorySize).sort();
}

/** As GNU tar reads it: nothing else that is everywhere can. */
function xattr(path: string, name: string): string | undefined {
  const include = ['--xattrs', '--xattrs-include=*', '--no-recursion'];
  const archive = execFileSync('tar', [...include, '-cPf', '-', '--', path]);
  const found: (string | undefined)[] = [];
  tarReader({
    entry: (entry) => void found.push(entry.xattrs.get(name)?.toString('hex')),
    content() {},
  }).push(archive);
  return found[0];
}

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
      const expected = join(scratch, 'expected');
      mkdirSync(expected);
      execFileSync('tar', ['-xpPf', '-', '--delay-directory-restore', '-C', expected], {
        input: tar,
      });
      expect(listing(layer)).toEqual(listing(expected));
      execFileSync('diff', ['-r', '--no-dereference', expected, layer]);
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
    expect(listing(layer)).toEqual([
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
    expect(xattr(at('ping'), 'security.capability')).toBe(capability.toString('hex'));
    expect(xattr(at('ping'), 'trusted.overlay.redirect')).toBeUndefined();
  });

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
    expect(readdirSync(layer, { encoding: 'buffer' })).toEqual([Buffer.from('caf\xe9', 'latin1')]);
  });
});

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
    expect(xattr(at('var'), 'trusted.overlay.opaque')).toBe('79');
    expect(readdirSync(layer).sort()).toEqual(['etc', 'var']);
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
    expect(xattr(at('a'), 'trusted.overlay.opaque')).toBe('79');
    expect(xattr(at('b'), 'trusted.overlay.opaque')).toBe('79');
  });
});

describe('a hostile layer', () => {
  const link = (path: string, to: string): RawTarEntry => ({ path, flag: '2', link: to });
  const hardLink = (path: string, to: string): RawTarEntry => ({ path, flag: '1', link: to });
  const up = '../'.repeat(20);

  afterEach(() => {
    expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('untouched');
    expect(readdirSync(outside)).toEqual(['secret']);
    expect(readdirSync(join(scratch, 'unfinished'))).toEqual(['layer']);
  });

  it('writes through links only inside itself', async () => {
    await unpack(
      link('absolute', outside),
      { path: `absolute/made`, content: 'x' },
      link('climbing', `${up}${outside.slice(1)}`),
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
      unpack(link('l', outside), { path: 'l/secret', content: 'x' }),
    ).rejects.toMatchObject({
      reason: 'InvalidLayer',
      message: expect.stringContaining('l/secret'),
    });
  });

  it('replaces a link at the end of a path, and doesn’t write through it', async () => {
    await unpack(link('l', join(outside, 'secret')), { path: 'l', content: 'mine' });
    expect(lstatSync(at('l')).isFile()).toBe(true);
  });

  it('makes no device, mode or time change through a link', async () => {
    const before = lstatSync(join(outside, 'secret'));
    await unpack(link('l', join(outside, 'secret')), {
      path: 'l',
      flag: '3',
      major: 1,
      minor: 3,
      mode: 0o777,
    });
    await unpack({ ...link('m', join(outside, 'secret')), mode: 0o777, uid: 7, mtime: 1 });
    const { mode, uid, mtimeMs } = lstatSync(join(outside, 'secret'));
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
    await unpack(link('l', outside), ...entries).catch(() => undefined);
    expect(existsSync(at('stolen'))).toBe(false);
    expect(lstatSync(join(outside, 'secret')).nlink).toBe(1);
  });

  it('doesn’t follow /proc’s links', async () => {
    await expect(
      unpack(link('p', '/proc/self/root'), hardLink('s', `p${outside}/secret`)),
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
    ['is sparse', { path: 'x', flag: 'S' }],
  ] as const)('is refused if an entry %s', async (_, entry) => {
    await expect(unpack(entry as RawTarEntry)).rejects.toMatchObject({ reason: 'InvalidLayer' });
  });

  it('is refused if a file is in the way of a directory', async () => {
    await expect(unpack({ path: 'a', content: 'x' }, { path: 'a/b' })).rejects.toMatchObject({
      reason: 'InvalidLayer',
    });
  });

  it('marks opaque only what is inside', async () => {
    await unpack(link('l', outside), { path: 'l/.wh..wh..opq' }).catch(() => undefined);
    expect(xattr(outside, 'trusted.overlay.opaque')).toBeUndefined();
  });

  it('stops at its limits', async () => {
    const tar = tarArchive([{ path: 'zeros', content: Buffer.alloc(4 << 20) }]);
    const limits = { ...defaultLayerLimits, ratioFromBytes: 1 << 20 };
    await expect(unpackTar(tar, { limits })).rejects.toMatchObject({ reason: 'TooLarge' });
  });

  it('is refused if its compression is broken', async () => {
    const path = join(scratch, 'broken');
    writeFileSync(path, 'this is no gzip');
    const blob = wholeFile(path, 15);
    await expect(unpackTar(tarArchive([]), { blob })).rejects.toMatchObject({
      reason: 'InvalidLayer',
    });
  });

  it('has nothing left running when its unpacking is aborted', async () => {
    const path = join(scratch, 'endless');
    writeFileSync(path, tarEntry({ path: 'zeros', size: 2 ** 32 }));
    truncateSync(path, 2 ** 32);
    const blob = wholeFile(path, 2 ** 32);
    const controller = new AbortController();
    const request = { blob, compression: 'none', diffId: '', directory: layer } as const;
    const unpacking = unpacker.unpack(
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
    expect(processesNaming(layer)).toEqual([]);
  });
});

function processesNaming(argument: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(argument);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'ENOENT' || code === 'ESRCH') return false;
      throw error;
    }
  });
}
