import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ImageErrorReason } from '../../../agent/images/image-error.ts';
import { defaultLayerLimits } from '../../../agent/images/layer-plan.ts';
import { openLayerStore } from '../../../agent/images/layer-store.ts';
import type { UnpackRequest } from '../../../agent/images/unpack-layer.ts';
import { processesNaming, useLayerBox } from '../../support/layer-box.ts';
import { type RawTarEntry, tarArchive, tarEntry } from '../../support/tar-archive.ts';
import { listTree, type TreeFile } from '../../support/tree-listing.ts';
import { waitFor } from '../../support/wait-for.ts';

/** Unpacked as a pull does it, into a store of layers. What surrounds it is compared; `unpack-layer.test.ts` has more of them. */
const box = useLayerBox();
let canary: ReadonlyMap<string, TreeFile>;

beforeEach(async () => {
  mkdirSync(join(box.outside, 'directory'));
  chmodSync(join(box.outside, 'secret'), 0o4711);
  canary = await listTree(box.outside);
});

afterEach(async () => {
  expect(await listTree(box.outside)).toEqual(canary);
  expect(readdirSync('/').filter((name) => name.startsWith('orc-hostile'))).toEqual([]);
  await waitFor('the end of the writer', () => processesNaming(box.scratch).length === 0);
});

/** The layer's directory. */
async function unpackTar(tar: Buffer, more: Partial<UnpackRequest> = {}): Promise<string> {
  const directory = mkdtempSync(join(box.scratch, 'blob-images-'));
  const store = await openLayerStore(directory);
  const diffId = `sha256:${createHash('sha256').update(tar).digest('hex')}`;
  const fill = (empty: string) => box.unpackTar(tar, { directory: empty, ...more });
  try {
    await store.ensure(diffId, fill, new AbortController().signal);
  } catch (error) {
    expect(readdirSync(join(directory, 'layers'))).toEqual([]);
    throw error;
  } finally {
    expect(readdirSync(join(directory, 'unfinished'))).toEqual([]);
  }
  return store.path(diffId);
}

const unpack = (...entries: readonly RawTarEntry[]) => unpackTar(tarArchive(entries));

/** Refused, with the entry's name. */
async function refuses(
  archive: Promise<string>,
  message: string | RegExp,
  reason: ImageErrorReason = 'InvalidLayer',
): Promise<void> {
  const said = typeof message === 'string' ? expect.stringContaining(message) : message;
  const matching = message instanceof RegExp ? expect.stringMatching(message) : said;
  await expect(archive).rejects.toMatchObject({ reason, message: matching });
}

const directory = (path: string): RawTarEntry => ({ path, flag: '5', mode: 0o755 });
const file = (path: string, content = 'x'): RawTarEntry => ({ path, content });
const link = (path: string, to: string): RawTarEntry => ({ path, flag: '2', link: to });
const hardLink = (path: string, to: string): RawTarEntry => ({ path, flag: '1', link: to });
/** What climbs from anywhere. */
const up = '../'.repeat(30);

describe('a link that changes between entries', () => {
  it('to the root leads to the root of the layer', async () => {
    const layer = await unpack(link('a', '/'), file('a/orc-hostile/passwd', 'mine'));
    expect(readFileSync(join(layer, 'orc-hostile/passwd'), 'utf8')).toBe('mine');
  });

  it('in the place of a directory that was just written to leads nowhere', async () => {
    const outside = box.outside.slice(1);
    await refuses(
      unpack(directory('a'), file('a/one'), link('a', `${up}${outside}`), file('a/secret')),
      'entry 4, "a/secret"',
    );
    const layer = await unpack(
      directory('a/b'),
      file('a/b/one'),
      link('alias', 'a'),
      link('alias/b', '/c'),
      directory('c'),
      file('a/b/two'),
      directory('alias/b'),
      file('a/b/three'),
    );
    expect(readdirSync(join(layer, 'a/b'))).toEqual(['three']);
    expect(readdirSync(join(layer, 'c'))).toEqual(['two']);
  });

  it('above a directory whose time is still to be set changes nobody’s', async () => {
    await unpack(directory('a/directory'), link('a', box.outside));
    await unpack(directory('d'), link('d', join(box.outside, 'directory')));
  });

  it('to itself is refused', async () => {
    await refuses(unpack(link('l', 'l'), file('l/x')), 'entry 2, "l/x": resolve: ELOOP');
  });
});

describe('a hard link', () => {
  it('to a symbolic link is that link, and what replaces it is not written through it', async () => {
    const layer = await unpack(
      link('l', join(box.outside, 'secret')),
      hardLink('h', 'l'),
      file('l', 'mine'),
    );
    expect(lstatSync(join(layer, 'h')).isSymbolicLink()).toBe(true);
    expect(lstatSync(join(layer, 'l')).isFile()).toBe(true);
  });

  it('changes neither mode nor content of what it links to', async () => {
    const layer = await unpack(
      { ...file('a', 'first'), mode: 0o600, uid: 5 },
      { ...hardLink('b', 'a'), mode: 0o777, uid: 6 },
      file('a', 'second'),
      hardLink('b', 'b'),
    );
    const { mode, uid, nlink } = lstatSync(join(layer, 'b'));
    expect([(mode & 0o777).toString(8), uid, nlink]).toEqual(['600', 5, 1]);
    expect(readFileSync(join(layer, 'b'), 'utf8')).toBe('first');
  });

  it.each([
    ['to a directory', [directory('d'), hardLink('h', 'd')], 'entry 2, "h": link: EISDIR'],
    ['to what is whited out', [file('.wh.w'), hardLink('w/h', 'w/x')], '"w/h"'],
    ['with a ".." in it', [hardLink('h', 'a/../b')], 'its link "a/../b" leads out of'],
    ['without a target', [hardLink('h', '')], 'entry 1, "h": link: EINVAL'],
  ])('%s is refused', async (_, entries, message) => refuses(unpack(...entries), message));
});

describe('a whiteout', () => {
  it.each([
    ['of a file outside', file('l/.wh.secret')],
    ['of a directory outside', file('l/.wh.directory')],
    ['of all that is outside', file('l/.wh..wh..opq')],
  ])('%s, through a link, is refused', async (_, entry) => {
    await refuses(unpack(link('l', box.outside), entry), 'entry 2, "l');
    await refuses(unpack(link('l', `${up}${box.outside.slice(1)}`), entry), 'entry 2, "l');
  });

  it('that is a directory, a link or a device hides all the same, and is none of these', async () => {
    const layer = await unpack(
      directory('.wh.a'),
      link('.wh.b', box.outside),
      { path: '.wh.c', flag: '4', major: 8, minor: 0 },
      hardLink('.wh.d', 'nothing'),
    );
    for (const name of ['a', 'b', 'c', 'd']) expect(lstatSync(join(layer, name)).rdev).toBe(0);
  });
});

it('a device is made, as images have them; that it opens nothing is the mounts’ part', async () => {
  const layer = await unpack({ path: 'disk', flag: '4', major: 8, minor: 0, mode: 0o666 });
  expect(lstatSync(join(layer, 'disk')).rdev).toBe(0x800);
  await refuses(
    unpack({ path: 'odd', flag: '3', major: 0o7777777, minor: 1 }),
    'entry 1, "odd": mknod: EINVAL',
  );
});

describe('a bomb', () => {
  const megabyte = 1 << 20;
  const sparse = (size: string): RawTarEntry => ({
    path: 'hole',
    pax: { 'GNU.sparse.map': '0,0', 'GNU.sparse.size': size, 'GNU.sparse.name': 'hole' },
  });
  const limits = { ...defaultLayerLimits, maxEntries: 50, ratioFromBytes: megabyte };

  it.each([
    ['of zeros', [file('zeros', '\0'.repeat(4 * megabyte))], '(entry 1, "zeros")', 'TooLarge'],
    [
      'of entries',
      Array.from({ length: 51 }, (_, i) => file(`f${i}`)),
      'has more than 50 entries (entry 51, "f50")',
      'TooLarge',
    ],
    [
      'of holes',
      [file('a'), sparse(String(2 ** 40))],
      /more than \d+ bytes \(entry 2, "hole"\)/,
      'TooLarge',
    ],
    [
      'of holes, each of which would do',
      Array.from({ length: 20 }, () => sparse(String(2 ** 33))),
      '(entry 8, "hole")',
      'TooLarge',
    ],
    ['of 8 EiB of hole', [sparse(String(2n ** 63n - 1n))], '(entry 1, "hole")', 'InvalidLayer'],
    [
      'of directories’ names',
      Array.from({ length: 30 }, (_, i) => directory(`${'d'.repeat(90)}${i}`)),
      /directories with more than 2000 bytes of paths \(entry \d+, "d+\d+"\)/,
      'TooLarge',
    ],
    [
      'of one header after another',
      [{ path: 'x', pax: { comment: '\0'.repeat(2 * megabyte) } }],
      'an extended header is too long (at its beginning)',
      'InvalidLayer',
    ],
  ] as const)('%s is refused by name', async (_, entries, message, reason) => {
    const few = { ...limits, maxDirectoryBytes: 2000 };
    await refuses(unpackTar(tarArchive(entries), { limits: few }), message, reason);
  });

  it('of directories that no entry is for is refused', async () => {
    const deep = (i: number): RawTarEntry => ({
      ...{ path: 'x', flag: '5', pax: { path: `${i}/${'d/'.repeat(100)}` } },
    });
    const many = Array.from({ length: 1010 }, (_, i) => deep(i));
    await refuses(unpack(...many), /entry 1001, "1000.*: implied directories: E2BIG/);
  });

  it('of depth goes no deeper than names do, by links either', async () => {
    const long = (letter: string) => `${letter}/`.repeat(1900);
    const deep: RawTarEntry = { path: 'x', flag: '5', pax: { path: long('a') } };
    const to: RawTarEntry = { path: 'to', flag: '2', pax: { linkpath: long('a') } };
    const below = (path: string): RawTarEntry => ({ path: 'x', flag: '5', pax: { path } });
    await refuses(unpack(deep, to, below(`to/${long('b')}`)), /entry 3, "to\/b.*ENAMETOOLONG/);
    await unpack(deep, to, below('to/b'));
    // What no path from the host's root leads to is removed all the same.
    await refuses(unpack(below('c/'.repeat(2045)), hardLink('h', 'missing')), 'entry 2, "h"');
  });
});

describe('of one name many times', () => {
  it('the last entry counts, whatever the others were', async () => {
    const many = Array.from({ length: 200 }, (_, i) => [
      file('n', `${i}`),
      link('n', box.outside),
      directory('n'),
      directory('n/below/it'),
      { path: 'n', flag: '6' },
    ]).flat();
    const layer = await unpack(...many, file('n', 'last'));
    expect(readFileSync(join(layer, 'n'), 'utf8')).toBe('last');
    expect(readdirSync(layer)).toEqual(['n']);
  });
});

/** Of a header, with a checksum that is right. */
function patched(entry: RawTarEntry, at: number, bytes: Buffer | string): Buffer {
  const block = tarEntry(entry);
  block.set(Buffer.from(bytes as string), at);
  block.fill(' ', 148, 156);
  const sum = block.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0`, 148, 'latin1');
  return block;
}

const base256 = (hex: string) => Buffer.from(hex, 'hex');

describe('a damaged archive', () => {
  const before = tarEntry(file('fine'));

  it.each([
    ['a wrong checksum', { ...file('odd') }, 148, '0000000', 'after entry 1, "fine"'],
    ['a size below zero', file('odd'), 124, base256('ffffffffffffffffffffffff'), '"fine"'],
    ['a size of 2^95', file('odd'), 124, base256('80ffffffffffffffffffffff'), '"fine"'],
    ['an owner of 2^62', file('odd'), 108, base256('c000000000000000'), 'entry 2, "odd"'],
    ['a group of 2^32 - 1', file('odd'), 116, base256('80000000ffffffff'), 'entry 2, "odd"'],
    ['a time of -2^94', file('odd'), 136, base256('c00000000000000000000000'), 'entry 2, "odd"'],
    ['a mode of letters', file('odd'), 100, '00rwxr\0', 'entry 2, "odd"'],
    ['a type that is none', file('odd'), 156, 'Q', 'entry 2, "odd"'],
    ['a part of another volume', file('odd'), 156, 'M', 'entry 2, "odd"'],
    ['a volume’s name', file('odd'), 156, 'V', 'entry 2, "odd"'],
  ])('with %s is refused by name', async (what, entry, at, bytes, where) => {
    const odd = patched(entry, at, bytes);
    if (what === 'a wrong checksum') odd.write('0000000', 148);
    await refuses(unpackTar(Buffer.concat([before, odd, Buffer.alloc(1024)])), where);
  });

  it('cut off anywhere has either whole entries or is refused', async () => {
    const entries = [
      { ...file('a', 'x'.repeat(600)), pax: { uid: '1' } },
      directory('b'),
      file('b/c', 'y'),
    ].map(tarEntry);
    const whole = Buffer.concat(entries);
    const ends = entries.map((_, i) => Buffer.concat(entries.slice(0, i + 1)).length);
    for (let length = 512; length <= whole.length; length += 512) {
      const cut = unpackTar(whole.subarray(0, length));
      if (ends.includes(length)) expect(existsSync(await cut)).toBe(true);
      else await refuses(cut, 'it ends in the middle of an entry (');
    }
    await refuses(unpackTar(whole.subarray(0, 700)), 'it ends in the middle of an entry (');
  });

  it('of another digest than the configuration names is refused, with both', async () => {
    const diffId = `sha256:${'0'.repeat(64)}`;
    const tar = tarArchive([file('a')]);
    const got = createHash('sha256').update(tar).digest('hex');
    await refuses(unpackTar(tar, { diffId }), new RegExp(`${got}.*${diffId}`), 'DigestMismatch');
  });
});
