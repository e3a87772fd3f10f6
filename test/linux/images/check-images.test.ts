import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  lchownSync,
  linkSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ImageNode, openImageNode } from '../../support/image-node.ts';
import { serveRegistry, type TestRegistry } from '../../support/registry.ts';
import { tarArchive } from '../../support/tar-archive.ts';

let registry: TestRegistry;
let node: ImageNode;
let layer: string;
let reference: string;
beforeEach(async () => {
  registry = await serveRegistry();
  node = await openImageNode([registry.host]);
  reference = registry.put('web:1', { layers: [files, small], index: true });
  await node.ask('pull', { words: [reference] });
  layer = (await node.store.find(reference))?.layers[0] ?? '';
});
afterEach(async () => {
  await node.close();
  await registry.close();
});

const small = tarArchive([{ path: 'small', content: 'small' }]);
const files = tarArchive([
  { path: 'etc', flag: '5', mode: 0o755, mtime: 1000 },
  { path: 'etc/config', content: 'as it was', uid: 7, gid: 8, mode: 0o640, mtime: 2000 },
  { path: 'etc/same', flag: '1', link: 'etc/config' },
  { path: 'etc/link', flag: '2', link: 'config', mtime: 3000 },
  { path: 'etc/.wh.gone', content: '' },
  {
    path: 'implied/by/path',
    content: 'x',
    mode: 0o4755,
    pax: { 'SCHILY.xattr.user.note': 'kept', mtime: '4000.5' },
  },
  { path: 'dev', flag: '3', major: 1, minor: 3 },
]);
const at = (path: string) => join(layer, path);
const setXattr = (path: string, value: string) =>
  execFileSync('python3', [
    '-c',
    `import os, sys; os.setxattr(sys.argv[1], 'user.note', sys.argv[2].encode())`,
    path,
    value,
  ]);

/** What a check says, and whether it found nothing wrong. */
async function check(repair = false) {
  const said: string[] = [];
  const wrong = await node.ask('check', { repair }).then(
    ({ notes }) => void said.push(...notes),
    (error: Error) => error.message,
  );
  return { said, wrong };
}

const damages: readonly [string, string, () => void][] = [
  ['content', 'content /etc/config', () => writeInPlace('etc/config', 'as it is!')],
  ['mode', 'mode /implied/by/path', () => chmodSync(at('implied/by/path'), 0o755)],
  ['owner', 'owner /etc/config', () => chownSync(at('etc/config'), 0, 8)],
  ['owner of a link', 'owner /etc/link', () => lchownSync(at('etc/link'), 1, 1)],
  ['time', 'time /etc', () => utimesSync(at('etc'), 5, 5)],
  ['attributes', 'attributes /implied/by/path', () => setXattr(at('implied/by/path'), 'other')],
  ['target', 'target /etc/link', () => relink()],
  ['links', 'links /etc/(same|config)', () => unlinkAndCopy()],
  ['type', 'type /etc/config', () => replace('etc/config', (path) => symlinkSync('x', path))],
  ['whiteout', 'missing /etc/gone', () => unlinkSync(at('etc/gone'))],
  ['missing', 'missing /implied/by/path', () => unlinkSync(at('implied/by/path'))],
  ['extra', 'extra /added', () => writeFileSync(at('added'), '')],
];

function replace(path: string, make: (path: string) => void) {
  unlinkSync(at(path));
  make(at(path));
}
function writeInPlace(path: string, text: string) {
  writeFileSync(at(path), text);
  utimesSync(at(path), 2000, 2000);
}
const relink = () => replace('etc/link', (path) => symlinkSync('other', path));
function unlinkAndCopy() {
  replace('etc/same', (path) => execFileSync('cp', ['-a', at('etc/config'), path]));
  for (const name of ['config', 'same']) linkSync(at(`etc/${name}`), at(`${name}-too`));
}

describe('orc image check', () => {
  it('finds nothing in what was just pulled, and leaves nothing', async () => {
    const before = node.entries();
    const { said, wrong } = await check();
    expect({ said, wrong }).toEqual({
      said: ['5 blobs checked, and the layers that they were unpacked to'],
      wrong: undefined,
    });
    expect(node.entries()).toEqual(before);
  });

  it.each(damages)('tells another %s by its path, and mends it', async (_, what, damage) => {
    damage();
    const { notes } = await node.ask('check', { repair: true });
    expect(notes.map((note) => note.replace(/^\w{12}: /, ''))).toContainEqual(
      expect.stringMatching(what),
    );
    expect(notes.filter((note) => note.endsWith(': mended')).length).toBe(1);
    expect(await check()).toMatchObject({ wrong: undefined });
    expect(readFileSync(at('etc/config'), 'utf8')).toBe('as it was');
    expect(node.entries()).toEqual({ blobs: 5, partial: 0, layers: 2, unfinished: 0 });
  });

  it('fails until it is told to mend', async () => {
    chmodSync(at('etc/config'), 0o777);
    expect(await check()).toMatchObject({ wrong: 'wrong and not mended: 1' });
    expect(await check(true)).toMatchObject({ wrong: undefined });
    expect(await check()).toMatchObject({ wrong: undefined });
  });

  it('changes no layer on which a container stands', async () => {
    chmodSync(at('etc/config'), 0o777);
    const [image] = await node.images();
    node.needed.add(String(image?.id));
    expect((await check(true)).wrong).toBe('wrong and not mended: 1');
    node.needed.clear();
    expect((await check(true)).wrong).toBeUndefined();
  });

  it.each(['manifests', 'config', 'layers'])(
    'fetches %s that are damaged or missing',
    async (kind) => {
      const { blobs } = JSON.parse(readFileSync(join(node.directory, 'images.json'), 'utf8'))
        .images[0];
      const [{ digest }] = [blobs[kind]].flat();
      const path = join(node.directory, 'blobs', digest.slice(7));
      const good = readFileSync(path);
      appendFileSync(path, 'x');
      expect((await check()).wrong).toBe('wrong and not mended: 1');
      expect((await check(true)).wrong).toBeUndefined();
      expect(readFileSync(path).equals(good)).toBe(true);
      rmSync(path);
      expect((await check()).wrong).toBe(kind === 'layers' ? undefined : 'wrong and not mended: 1');
      expect((await check(true)).wrong).toBeUndefined();
      expect((await check()).wrong).toBeUndefined();
    },
  );

  it('unpacks a layer that is missing, from its registry if need be', async () => {
    await node.store.dropLayerBlobs();
    expect((await check()).wrong).toBeUndefined();
    rmSync(layer, { recursive: true });
    expect((await check()).wrong).toBe('wrong and not mended: 1');
    expect((await check(true)).wrong).toBeUndefined();
    expect(readFileSync(at('etc/config'), 'utf8')).toBe('as it was');
  });

  it('says what it can’t fetch', async () => {
    await node.store.dropLayerBlobs();
    rmSync(layer, { recursive: true });
    for (const path of [...registry.blobs.keys()]) registry.blobs.delete(path);
    const failed = await node.ask('check', { repair: true }).catch((error: Error) => error.message);
    expect(failed).toBe('wrong and not mended: 1');
  });
});
