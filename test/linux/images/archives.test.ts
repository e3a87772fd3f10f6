import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hostPlatform } from '../../../agent/images/manifest.ts';
import { type ImageNode, openImageNode } from '../../support/image-node.ts';
import { digestOf, serveRegistry, type TestRegistry } from '../../support/registry.ts';
import { type RawTarEntry, tarArchive } from '../../support/tar-archive.ts';
import { waitFor } from '../../support/wait-for.ts';

let registry: TestRegistry;
let node: ImageNode;
beforeEach(async () => {
  registry = await serveRegistry();
  node = await openImageNode([registry.host]);
});
afterEach(async () => {
  await node.close();
  await registry.close();
});

const layerOf = (text: string) => tarArchive([{ path: `files/${text}`, content: text }]);
const web = () =>
  registry.put('web:1', {
    layers: ['base', 'web'].map(layerOf),
    config: { Cmd: ['x'] },
    index: true,
  });

async function exported(...words: readonly string[]): Promise<Buffer> {
  const { result } = await node.ask('export', { words });
  if (!(result instanceof Readable)) throw new Error('no archive');
  return buffer(result);
}

const filesOf = async (name: string) => {
  const { layers = [] } = (await node.store.find(name)) ?? {};
  return layers.map((layer) => existsSync(join(layer, 'files')));
};

describe('an exported image', () => {
  it('is the same after it has gone and come back, and so is its archive', async () => {
    const reference = web();
    await node.ask('pull', { words: [reference] });
    const before = await node.images();
    const archive = await exported(reference);
    expect(await exported(reference)).toEqual(archive);
    await node.ask('rm', { words: [reference] });
    expect(node.entries()).toEqual({ blobs: 0, partial: 0, layers: 0, unfinished: 0 });
    const { notes } = await node.ask('import', {}, archive);
    expect(notes).toEqual([`${reference}: ${before[0]?.digest}`]);
    expect(await node.images()).toEqual(before);
    expect(await filesOf(reference)).toEqual([true, true]);
    expect(node.entries().unfinished).toBe(0);
    expect(await exported(reference)).toEqual(archive);
  });

  it('is fetched again where it isn’t kept as it came, or else it is told what lacks', async () => {
    const reference = web();
    await node.ask('pull', { words: [reference] });
    const archive = await exported(reference);
    expect(await node.store.dropLayerBlobs()).toBe(2);
    expect(await exported(reference)).toEqual(archive);
    await node.store.dropLayerBlobs();
    for (const digest of registry.blobs.keys()) registry.blobs.delete(digest);
    await expect(exported(reference)).rejects.toThrow(
      /sha256:\w+ is not here, and can't be fetched: /,
    );
  });

  it('may be several images by several names, whose layers are in it once', async () => {
    const reference = web();
    const job = registry.put('job:1', { layers: ['base', 'job'].map(layerOf) });
    for (const word of [reference, job]) await node.ask('pull', { words: [word] });
    const archive = await exported(reference, job);
    await node.ask('rm', { words: [reference, job] });
    await node.ask('import', {}, archive);
    expect((await node.images()).flatMap(({ names }) => names).sort()).toEqual([job, reference]);
    expect(node.entries()).toEqual({ blobs: 3 + 2 * 2 + 1, partial: 0, layers: 3, unfinished: 0 });
  });

  it('that only a podless id names takes its name at the import', async () => {
    const reference = web();
    await node.ask('pull', { words: [reference] });
    registry.put('web:1', { layers: [layerOf('other')] });
    await node.ask('pull', { words: [reference] });
    const [dangling] = (await node.images()).filter(({ names }) => names.length === 0);
    const archive = await exported(String(dangling?.id.slice(7, 19)));
    await expect(node.ask('import', {}, archive)).rejects.toThrow('give --name');
    await node.ask('import', { name: 'old/web:1' }, archive);
    expect((await node.images()).find(({ id }) => id === dangling?.id)?.names).toEqual([
      'docker.io/old/web:1',
    ]);
  });
});

const [os, architecture] = hostPlatform().split('/');
const configOf = (...layers: readonly Buffer[]) =>
  JSON.stringify({
    ...{ os, architecture, config: {} },
    rootfs: { type: 'layers', diff_ids: layers.map(digestOf) },
  });
const [base, app] = [layerOf('base'), layerOf('app')];

/** What `docker save` writes. */
function dockerArchive(
  entries: readonly RawTarEntry[],
  layers: readonly string[],
  more: object = {},
) {
  const image = { Config: 'config.json', RepoTags: ['shop/app:1'], Layers: layers, ...more };
  return tarArchive([
    ...entries,
    { path: 'config.json', content: configOf(base, app) },
    { path: 'manifest.json', content: JSON.stringify([image]) },
  ]);
}

const named = ['a/layer.tar', 'b/layer.tar'];

describe('an archive of docker’s', () => {
  it.each([
    ['plain', base, app],
    ['compressed', gzipSync(base), zstdCompressSync(app)],
  ])('has %s layers', async (_, lower, upper) => {
    const entries = [
      { path: 'a/layer.tar', content: lower },
      { path: './b/layer.tar', content: upper },
    ];
    await node.ask('import', {}, dockerArchive(entries, named));
    const image = await node.store.find('shop/app:1');
    expect(image?.layers.map((layer) => existsSync(join(layer, 'files/base')))).toEqual([
      true,
      false,
    ]);
  });

  it('may have layers that are links to others in it', async () => {
    const entries = [
      { path: 'blobs/x', content: base },
      { path: 'blobs/y', content: app },
      { path: 'a/layer.tar', flag: '2', link: '../blobs/x' },
      { path: 'b/layer.tar', flag: '1', link: 'blobs/y' },
    ];
    await node.ask('import', { name: 'shop/app:2' }, dockerArchive(entries, named));
    expect((await node.images())[0]?.names).toEqual(['docker.io/shop/app:2']);
  });

  it('may have images without names, for which one is wanted', async () => {
    const entries = named.map((path, i) => ({ path, content: [base, app][i]! }));
    const archive = dockerArchive(entries, named, { RepoTags: null });
    await expect(node.ask('import', {}, archive)).rejects.toThrow('give --name');
    await node.ask('import', { name: 'shop/app:3' }, archive);
    expect((await node.images()).length).toBe(1);
  });
});

describe('a hostile archive', () => {
  const plain = named.map((path, i) => ({ path, content: [base, app][i]! }));
  const outside = (flag: string, link: string) => [
    { path: 'a/layer.tar', flag, link },
    { path: 'b/layer.tar', content: app },
  ];
  const layout = (index: unknown, ...entries: readonly RawTarEntry[]) =>
    tarArchive([
      { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
      { path: 'index.json', content: JSON.stringify(index) },
      ...entries,
    ]);
  const manifest = 'application/vnd.oci.image.manifest.v1+json';
  const nowhere = { mediaType: manifest, digest: digestOf(Buffer.of()), size: 3 };

  it.each<[string, () => Buffer, RegExp]>([
    ['is no tar', () => Buffer.from('x'.repeat(2000)), /can't be read.*zcat/],
    ['is empty', () => Buffer.of(), /has no "index\.json, manifest\.json"/],
    [
      'ends in the middle',
      () => dockerArchive(plain, named).subarray(0, 1800),
      /middle of an entry/,
    ],
    [
      'has a link to a file outside',
      () => dockerArchive(outside('2', '/etc/passwd'), named),
      /has no "a\/layer\.tar"/,
    ],
    [
      'has a link that climbs out',
      () => dockerArchive(outside('2', '../../../../etc/passwd'), named),
      /has no "a\/layer\.tar"/,
    ],
    [
      'has a hard link to the outside',
      () => dockerArchive(outside('1', '/etc/passwd'), named),
      /has no "a\/layer\.tar"/,
    ],
    [
      'has links in a circle',
      () =>
        dockerArchive(
          [...outside('2', '../c'), { path: 'c', flag: '2', link: 'a/layer.tar' }],
          named,
        ),
      /has no "a\/layer\.tar"/,
    ],
    ['lacks a layer', () => dockerArchive(plain.slice(1), named), /has no "a\/layer\.tar"/],
    [
      'has another layer than its configuration says',
      () => dockerArchive(plain, named.toReversed()),
      /unpacks to sha256/,
    ],
    [
      'has more layers than its configuration',
      () => dockerArchive(plain, [...named, ...named]),
      /2 diff_ids for 4 layers/,
    ],
    [
      'has no list of images',
      () => tarArchive([{ path: 'manifest.json', content: '{}' }]),
      /images is not a list/,
    ],
    [
      'has a manifest of something else',
      () => tarArchive([{ path: 'manifest.json', content: '[7]' }]),
      /has no /,
    ],
    [
      'has a name that is none',
      () => dockerArchive(plain, named, { RepoTags: ['UPPER'] }),
      /must be lower case/,
    ],
    [
      'says that nothing is in it',
      () => tarArchive([{ path: 'manifest.json', content: '[]' }]),
      /no image in it/,
    ],
    [
      'lacks the manifest',
      () =>
        layout({
          manifests: [{ ...nowhere, annotations: { 'io.containerd.image.name': 'a/b:1' } }],
        }),
      /has no "sha256:/,
    ],
    [
      'calls a blob what it is not',
      () =>
        layout(
          { manifests: [{ ...nowhere, annotations: { 'io.containerd.image.name': 'a/b:1' } }] },
          {
            path: 'blobs/sha256/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
            content: '{}',
          },
        ),
      /has no "sha256:/,
    ],
    [
      'has a longer index than there can be',
      () => layout({ manifests: 'x'.repeat(5 * 1024 ** 2) }),
      /document of \d+ bytes/,
    ],
    ['has no index', () => layout([]), /not an object/],
    ['has an index without a list', () => layout({ manifests: 7 }), /not a list/],
    [
      'has documents as links',
      () => tarArchive([{ path: 'index.json', flag: '2', link: '/etc/passwd' }]),
      /has no "index/,
    ],
    [
      'has a name that is too long',
      () => tarArchive([{ path: 'x', pax: { path: 'y'.repeat(10_000) } }]),
      /too many files, or too long/,
    ],
  ])('that %s is refused in words, and leaves nothing', async (_, archive, words) => {
    await expect(node.ask('import', {}, archive())).rejects.toThrow(words);
    await waitFor('its end', () => node.entries().unfinished === 0);
    expect(node.entries().partial).toBe(0);
    expect(await node.images()).toEqual([]);
  });

  it('writes nothing where its names lead', async () => {
    const paths = ['../escaped', '/tmp/orc-escaped', 'a/../../escaped', 'images.json', '../1'];
    const entries = paths.map((path) => ({ path, content: 'here' }));
    await node.ask('import', {}, dockerArchive([...entries, ...plain], named));
    expect(existsSync('/tmp/orc-escaped')).toBe(false);
    expect(existsSync(join(node.directory, '../escaped'))).toBe(false);
    expect(readdirSync(node.directory).sort()).toEqual(before);
    expect(readFileSync(join(node.directory, 'images.json'), 'utf8')).toContain('shop/app');
  });

  it('that breaks off on its way leaves nothing', async () => {
    async function* half() {
      yield dockerArchive(plain, named).subarray(0, 1024);
      throw new Error('the cable was pulled');
    }
    const importing = node.ask('import', {}, Readable.from(half()));
    await expect(importing).rejects.toThrow('hung up');
    await waitFor('its end', () => node.entries().unfinished === 0);
    expect(await node.images()).toEqual([]);
  });
});

const before = ['blobs', 'images.json', 'images.sock', 'layers', 'partial', 'unfinished'];
