import { mkdtemp, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { packTree } from '../../../cli/pack-tree.ts';
import { unpackTree } from '../../../cli/unpack-tree.ts';

let dir: string;
let target: string;
let skipped: string[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'orc-unpack-'));
  target = join(dir, 'here');
  skipped = [];
});

afterEach(() => rm(dir, { recursive: true }));

type Part = readonly [path: string, how: 'file' | 'symlink' | 'link' | 'fifo', text: string];

async function archive(parts: readonly Part[]): Promise<Readable> {
  const tar = pack();
  for (const [name, type, text] of parts) {
    if (type === 'file') tar.entry({ name, type }, text);
    else tar.entry({ name, type, linkname: text });
  }
  tar.finalize();
  return Readable.from([await buffer(tar)]);
}

const unpack = async (parts: readonly Part[]) =>
  unpackTree(await archive(parts), { name: 'src', target, skip: (what) => skipped.push(what) });

const text = (path: string) => readFile(join(target, path), 'utf8');

it('writes files, links within the copy, and the mode', async () => {
  await unpack([
    ['src/a/b.txt', 'file', 'bee'],
    ['src/a/same', 'link', 'src/a/b.txt'],
    ['src/up', 'symlink', 'a/../a/b.txt'],
    ['src/a/top', 'symlink', '../up'],
  ]);
  expect(await Promise.all(['a/b.txt', 'a/same', 'up', 'a/top'].map(text))).toEqual(
    Array(4).fill('bee'),
  );
  expect((await stat(join(target, 'a/b.txt'))).mode & 0o777).toBe(0o644);
  expect(skipped).toEqual([]);
});

it.each([
  ['an absolute path', '/etc/evil'],
  ['a path that climbs', 'src/../../evil'],
  ['a path beside what was asked for', 'srcs/evil'],
])('refuses %s, and writes nothing for it', async (_, path) => {
  await expect(unpack([[path, 'file', 'evil']])).rejects.toThrow(/leads out of src/);
  expect(await readdir(dir)).toEqual([]);
});

it('refuses a hard link to what lies outside', async () => {
  await expect(unpack([['src/x', 'link', '../../etc/passwd']])).rejects.toThrow(/leads out/);
});

it('leaves out links that lead out, and what is no file, and says so', async () => {
  await unpack([
    ['src/file', 'file', ''],
    ['src/abs', 'symlink', '/etc/passwd'],
    ['src/climbs', 'symlink', '../x'],
    ['src/winds', 'symlink', 'a/../../x'],
    ['src/pipe', 'fifo', ''],
  ]);
  expect(await readdir(target)).toEqual(['file']);
  expect(skipped).toHaveLength(4);
});

it('never writes through a link of the same archive', async () => {
  await unpack([
    ['src/deep/er/', 'symlink', '../..'],
    ['src/out', 'symlink', 'deep/er/../..'],
    ['src/out/evil', 'file', 'evil'],
  ]).catch(() => {});
  expect(await readdir(dir)).toEqual(['here']);
  expect(await readlink(join(target, 'out')).catch(() => 'a directory')).not.toContain('..');
});

it('unpacks what packTree packs', async () => {
  const files: Part[] = [
    ['src/a', 'file', 'x'.repeat(100_000)],
    ['src/empty', 'file', ''],
    ['src/link', 'symlink', 'a'],
  ];
  await unpack(files);
  const again = Readable.from(packTree(target, 'again', () => {}));
  await unpackTree(again, { name: 'again', target: join(dir, 'copy'), skip: () => {} });
  expect((await readdir(join(dir, 'copy'))).sort()).toEqual(['a', 'empty', 'link']);
  expect(await readFile(join(dir, 'copy/link'), 'utf8')).toBe('x'.repeat(100_000));
});
