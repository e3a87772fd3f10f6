import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TarEntry } from '../../../../agent/images/tar-header.ts';
import { tarReader } from '../../../../agent/images/tar-reader.ts';
import { type RawTarEntry, tarArchive, tarEntry } from '../../../support/tar-archive.ts';

interface Read {
  readonly entry: TarEntry;
  readonly content: Buffer;
}

function read(archive: Buffer): readonly Read[] {
  const entries: { entry: TarEntry; pieces: Buffer[] }[] = [];
  const reader = tarReader({
    entry: (entry) => void entries.push({ entry, pieces: [] }),
    content: (piece) => void entries.at(-1)?.pieces.push(piece),
  });
  // In pieces that end nowhere in particular.
  for (let at = 0; at < archive.length; at += 777) reader.push(archive.subarray(at, at + 777));
  reader.end();
  return entries.map(({ entry, pieces }) => ({ entry, content: Buffer.concat(pieces) }));
}

let dir: string;
const block = 4096;
const size = 600 * block;
/** More pieces than a header has room for, and than one block after it. */
const offsets = Array.from({ length: 50 }, (_, i) => i * 11 * block + block);

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'orc-sparse-'));
  for (const name of ['pieces', 'holes', 'ends-in-data']) {
    const file = openSync(join(dir, name), 'w');
    const at = { pieces: offsets, holes: [], 'ends-in-data': [size - block] }[name] ?? [];
    ftruncateSync(file, size);
    for (const offset of at)
      writeSync(file, Buffer.alloc(block, `at ${offset} `), 0, block, offset);
    closeSync(file);
  }
});
afterAll(() => rmSync(dir, { recursive: true }));

const formats = ['gnu', 'pax --sparse-version=0.0', 'pax --sparse-version=0.1', 'pax'];

describe.each(formats)('a sparse file of GNU tar’s format %s', (format) => {
  const tar = (name: string) =>
    read(
      execFileSync('tar', ['-C', dir, '-cSf', '-', ...`--format=${format}`.split(' '), name], {
        maxBuffer: 1 << 28,
      }),
    );

  it('has its name, its size, and its pieces where they belong', () => {
    const [{ entry, content } = { entry: undefined, content: Buffer.alloc(0) }, ...more] =
      tar('pieces');
    expect(more).toEqual([]);
    expect(entry).toMatchObject({ path: 'pieces', type: 'file', size });
    const full = entry?.ranges?.filter(({ bytes }) => bytes > 0);
    expect(full).toEqual(offsets.map((offset) => ({ offset, bytes: block })));
    const expected = offsets.map((offset) => Buffer.alloc(block, `at ${offset} `));
    expect(content.equals(Buffer.concat(expected))).toBe(true);
  });

  it('may be one hole, or end in none', () => {
    const [holes] = tar('holes');
    expect(holes?.entry).toMatchObject({ path: 'holes', size });
    expect(holes?.content.length).toBe(0);
    const [end] = tar('ends-in-data');
    expect(end?.entry.ranges).toContainEqual({ offset: size - block, bytes: block });
  });
});

const versions = {
  '0.1': (map: string, realsize: string): RawTarEntry => ({
    path: 'GNUSparseFile.1/x',
    content: 'data',
    pax: { 'GNU.sparse.name': 'x', 'GNU.sparse.size': realsize, 'GNU.sparse.map': map },
  }),
  '1.0': (map: string, realsize: string): RawTarEntry => {
    const numbers = map === '' ? [] : map.split(',');
    const lines = [Math.ceil(numbers.length / 2), ...numbers, ''].join('\n');
    const before = Buffer.alloc(Math.ceil(lines.length / 512) * 512);
    before.write(lines);
    return {
      path: 'GNUSparseFile.1/x',
      content: Buffer.concat([before, Buffer.from('data')]),
      pax: {
        'GNU.sparse.major': '1',
        'GNU.sparse.minor': '0',
        'GNU.sparse.name': 'x',
        'GNU.sparse.realsize': realsize,
      },
    };
  },
};

describe.each(Object.entries(versions))('a map of version %s', (_, entry) => {
  it('is what it says', () => {
    const [file] = read(tarArchive([entry('10,4,20,0', '30')]));
    expect(file?.entry).toMatchObject({ path: 'x', size: 30 });
    expect(file?.entry.ranges).toEqual([
      { offset: 10, bytes: 4 },
      { offset: 20, bytes: 0 },
    ]);
    expect(file?.content.toString()).toBe('data');
  });

  it.each([
    ['overlaps', '0,3,2,1', '10', 'out of order'],
    ['is out of order', '5,2,0,2', '10', 'out of order'],
    ['reaches beyond the end', '8,4', '10', 'beyond its end'],
    ['has more than there is', '0,5', '10', 'does not fit'],
    ['has less than there is', '0,3', '10', 'does not fit'],
    ['is of an odd length', '0,4,8', '10', /out of order|middle of an entry/],
    ['has no numbers', '0,x', '10', 'not a number'],
    ['is of less than nothing', '0,-4', '10', 'not a number'],
    ['is for no size', '0,4', '', 'not a number'],
    ['is for more than any file', '0,4', '9223372036854775807', 'not a number'],
    ['has too many pieces', '0,0,'.repeat(65_537).slice(0, -1), '10', 'more than 65536 pieces'],
  ])('that %s is refused by name', (_, map, realsize, why) => {
    const archive = tarArchive([{ path: 'fine' }, entry(map, realsize)]);
    expect(() => read(archive)).toThrow(why);
    expect(() => read(archive)).toThrow('(entry 2, "x")');
  });
});

it.each([
  ['of an unknown version', { 'GNU.sparse.major': '2', 'GNU.sparse.minor': '0' }, 'version 2.0'],
  ['without an end', { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0' }, 'middle of an entry'],
])('a sparse file %s is refused', (_, version, why) => {
  const pax = { ...version, 'GNU.sparse.realsize': '10', 'GNU.sparse.name': 'x' };
  expect(() => read(tarArchive([{ path: 'x', content: 'x'.repeat(600), pax }]))).toThrow(why);
});

it('a map without an end is read no further than a megabyte', () => {
  const pax = { 'GNU.sparse.major': '1', 'GNU.sparse.realsize': '10', 'GNU.sparse.minor': '0' };
  const content = Buffer.alloc(2 << 20, '1');
  expect(() => read(tarEntry({ path: 'x', content, pax }))).toThrow('more than 65536 pieces');
});

it('a directory can’t be sparse', () => {
  const pax = { 'GNU.sparse.map': '0,0', 'GNU.sparse.size': '10' };
  expect(() => read(tarArchive([{ path: 'x', flag: '5', pax }]))).toThrow('sparse, but no file');
});

it('star’s sparse files are refused', () => {
  expect(() => read(tarArchive([{ path: 'x', flag: 'S' }]))).toThrow('another way than GNU');
});
