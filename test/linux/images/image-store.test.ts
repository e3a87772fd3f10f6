import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ImageStore, openImageStore } from '../../../agent/images/image-store.ts';
import { parseRegistries } from '../../../agent/images/read-registries.ts';
import type { RegistryNetwork } from '../../../agent/images/registry-transport.ts';
import { systemClock } from '../../../base/clock.ts';
import { silentLog } from '../../../base/log.ts';
import { systemRng } from '../../../base/rng.ts';
import { nativeBinary } from '../../../native/binary.ts';
import { imagePortContract } from '../../contract/image-port.contract.ts';
import { payloadOf, putSignatures, signed } from '../../support/cosign.ts';
import { digestOf, serveRegistry, type TestRegistry } from '../../support/registry.ts';
import { rounds } from '../../support/rounds.ts';
import { tarArchive } from '../../support/tar-archive.ts';
import { waitFor } from '../../support/wait-for.ts';

const layerOf = (text: string) => tarArchive([{ path: `files/${text}`, content: text }]);

function openStore(
  directory: string,
  registry: TestRegistry,
  network: Partial<RegistryNetwork> = {},
): Promise<ImageStore> {
  return openImageStore({
    directory,
    network: {
      insecure: [registry.host],
      proxySocket: undefined,
      connectTimeoutMs: 2000,
      idleTimeoutMs: 5000,
      ...network,
    },
    writer: [nativeBinary, 'orc-unpack'],
    clock: systemClock(),
    rng: systemRng(),
    log: silentLog,
  });
}

describe('the image store', () => {
  imagePortContract(async () => {
    const directory = mkdtempSync(join(tmpdir(), 'orc-images-'));
    const registry = await serveRegistry();
    const images = await openStore(directory, registry);
    return {
      images,
      publish: async ({ name, layers, cmd }) =>
        registry.put(name, { layers: layers.map(layerOf), config: { Cmd: cmd }, index: true }),
      hang: () => registry.instead(/./, () => undefined, 100),
      async close() {
        await images.close();
        await registry.close();
        rmSync(directory, { recursive: true });
      },
    };
  });
});

describe('an image on disk', () => {
  let directory: string;
  let registry: TestRegistry;
  let store: ImageStore;
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'orc-images-'));
    registry = await serveRegistry();
    store = await openStore(directory, registry);
  });
  afterEach(async () => {
    await store.close();
    await registry.close();
    rmSync(directory, { recursive: true });
  });
  const pull = (reference: string) =>
    store.pull({ reference, credentials: [], onProgress: () => {} }, new AbortController().signal);
  const reopen = async () => {
    await store.close();
    store = await openStore(directory, registry);
  };
  const layersOnDisk = () => readdirSync(join(directory, 'layers')).length;
  const blobsOnDisk = () => readdirSync(join(directory, 'blobs')).length;
  const web = () =>
    registry.put('web:1', { layers: ['base', 'web'].map(layerOf), config: { Cmd: ['serve'] } });

  it('has its files in its layers, lowest first, and is kept as it came, too', async () => {
    const image = await pull(web());
    expect(image.layers.map((layer) => readdirSync(join(layer, 'files')))).toEqual([
      ['base'],
      ['web'],
    ]);
    expect(readFileSync(join(image.layers[1]!, 'files/web'), 'utf8')).toBe('web');
    expect(readdirSync(join(directory, 'partial'))).toEqual([]);
    expect(blobsOnDisk()).toBe(4);
    expect(statSync(join(directory, 'layers')).mode & 0o777).toBe(0o700);
  });

  it('is there after a restart, without asking its registry', async () => {
    const reference = web();
    const image = await pull(reference);
    await reopen();
    const asked = registry.requests.length;
    expect(await store.find(reference)).toEqual(image);
    expect(await store.list()).toEqual([
      { ...image, lastUsedMs: expect.any(Number), isPinned: false },
    ]);
    expect(registry.requests.length).toBe(asked);
  });

  it('is found by its digest only if it was pulled by it', async () => {
    const image = await pull(web());
    const byDigest = `${registry.host}/web@${image.digest}`;
    expect(await store.find(byDigest)).toBeUndefined();
    expect((await pull(byDigest)).id).toBe(image.id);
    expect((await store.find(byDigest))?.references.length).toBe(2);
  });

  it('shares layers: each is downloaded and kept once, until the last image of it goes', async () => {
    const first = await pull(web());
    const job = registry.put('job:1', { layers: ['base', 'job'].map(layerOf) });
    const second = await pull(job);
    expect(second.layers[0]).toBe(first.layers[0]);
    expect(layersOnDisk()).toBe(3);
    const blobs = registry.requests
      .map((r) => r.url ?? '')
      .filter((url) => url.includes('/blobs/'));
    expect(blobs.length).toBe(5);
    await store.remove(first.id, Number.POSITIVE_INFINITY);
    expect([layersOnDisk(), blobsOnDisk()]).toEqual([2, 4]);
    await store.remove(second.id, Number.POSITIVE_INFINITY);
    expect([layersOnDisk(), blobsOnDisk()]).toEqual([0, 0]);
  });

  it('is unpacked while it comes, and what had come before a crash comes no more', async () => {
    const content = Buffer.from(randomBytes(1 << 20).toString('hex'));
    const files = ['first', 'second'].map((path) => ({ path, content }));
    const reference = registry.put('large:1', { layers: [tarArchive(files)] });
    const { layers } = JSON.parse(registry.manifests.get('large:1')!.bytes.toString());
    const blob = registry.blobs.get(layers[0].digest)!;
    registry.instead(new RegExp(layers[0].digest), (_, response) => {
      response.writeHead(200, { 'content-length': blob.length });
      response.write(blob.subarray(0, blob.length * 0.75));
    });
    const abort = new AbortController();
    const request = { reference, credentials: [], onProgress: () => {} };
    const pulling = expect(store.pull(request, abort.signal)).rejects.toThrow('crash');
    const unfinished = join(directory, 'unfinished');
    await waitFor('the first file', () =>
      readdirSync(unfinished).some((name) => existsSync(join(unfinished, name, 'first'))),
    );
    abort.abort(new Error('crash'));
    await pulling;
    await reopen();
    const [layer] = (await pull(reference)).layers;
    expect(readFileSync(join(layer!, 'second')).equals(content)).toBe(true);
    const [from] = /\d+/.exec(registry.requests.at(-1)?.headers.range ?? '') ?? [];
    expect(Number(from)).toBeGreaterThan(blob.length / 2);
  });

  it('is not asked for if all of it had come before a crash', async () => {
    const reference = web();
    const { layers } = JSON.parse(registry.manifests.get('web:1')!.bytes.toString());
    for (const { digest } of layers)
      writeFileSync(join(directory, 'partial', digest.slice(7)), registry.blobs.get(digest)!);
    registry.instead(
      new RegExp(layers.map(({ digest }: { digest: string }) => digest).join('|')),
      (_, response) => void response.writeHead(416).end(),
      9,
    );
    expect((await pull(reference)).layers.length).toBe(2);
  });

  it('comes anew if what had come before a crash is damaged', async () => {
    const reference = web();
    const { layers } = JSON.parse(registry.manifests.get('web:1')!.bytes.toString());
    const [, hex] = layers[0].digest.split(':');
    writeFileSync(join(directory, 'partial', hex), 'power went');
    expect((await pull(reference)).layers.length).toBe(2);
  });

  it('is whole or gone, whoever removes, pulls and finds it at the same time', async () => {
    const references = [web(), registry.put('job:1', { layers: ['base', 'job'].map(layerOf) })];
    const isThere = (path: string) => readdirSync(join(path, 'files')).length > 0;
    for (let round = 0; round < rounds(10); round++) {
      const { id } = await pull(references[0]!);
      const later = references.flatMap((each) => [pull(each), store.find(each), pull(each)]);
      await Promise.all([store.remove(id, Number.POSITIVE_INFINITY), ...later]);
      for (const { layers } of await store.list())
        expect(layers.map(isThere)).toEqual(layers.map(() => true));
      expect(await store.find(references[1]!)).toBeDefined();
    }
  });

  it('is not found while a layer of it is missing, and whole again after a pull', async () => {
    const reference = web();
    const image = await pull(reference);
    rmSync(image.layers[0]!, { recursive: true });
    expect(await store.find(reference)).toBeUndefined();
    expect(await pull(reference)).toEqual(image);
    expect(await store.find(reference)).toEqual(image);
  });

  it('leaves nothing behind when its pull fails, or a crash cuts it', async () => {
    const lying = registry.put('liar:1', { layers: [layerOf('a')] });
    for (const [digest, blob] of registry.blobs)
      registry.blobs.set(digest, Buffer.from(blob).reverse());
    await expect(pull(lying)).rejects.toMatchObject({ reason: 'DigestMismatch' });
    mkdirSync(join(directory, 'unfinished', 'x', 'y'), { recursive: true });
    writeFileSync(join(directory, 'partial', 'x'), 'half');
    mkdirSync(join(directory, 'layers', 'f'.repeat(64), 'not-synced'), { recursive: true });
    await reopen();
    const left = ['unfinished', 'partial', 'layers'].map((name) =>
      readdirSync(join(directory, name)),
    );
    expect(left).toEqual([[], [], []]);
  });

  it('is refused if a layer isn’t the one that its configuration names', async () => {
    const good = registry.put('good:1', { layers: [layerOf('a')] });
    const manifest = registry.manifests.get('good:1')!;
    const other = registry.put('other:1', { layers: [layerOf('b')] });
    const layers = JSON.parse(registry.manifests.get('other:1')!.bytes.toString()).layers;
    const mixed = { ...JSON.parse(manifest.bytes.toString()), layers };
    registry.manifests.set('good:1', { ...manifest, bytes: Buffer.from(JSON.stringify(mixed)) });
    await expect(pull(good)).rejects.toMatchObject({ reason: 'DigestMismatch' });
    expect((await pull(other)).layers.length).toBe(1);
  });

  it('names a layer that it has twice once, where it is on top', async () => {
    const layers = ['empty', 'middle', 'empty'].map(layerOf);
    const image = await pull(registry.put('twice:1', { layers }));
    const files = image.layers.map((layer) => readdirSync(join(layer, 'files')));
    expect(files).toEqual([['middle'], ['empty']]);
  });

  it('may be pulled often at once; its layers are downloaded once', async () => {
    const reference = web();
    const alias = registry.put('alias:1', { layers: ['base', 'web'].map(layerOf) });
    await Promise.all([pull(reference), pull(alias), pull(reference), pull(alias)]);
    const urls = registry.requests.map((r) => (r.url ?? '').replace(/^.*\/blobs\//, ''));
    const blobs = urls.filter((url) => url.startsWith('sha256:'));
    expect(blobs.length).toBe(2 + 2);
    expect((await store.list()).length).toBe(2);
  });
});

describe('an image of a repository whose images must be signed', () => {
  const signer = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  let directory: string;
  let registry: TestRegistry;
  let store: ImageStore;
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'orc-images-'));
    registry = await serveRegistry();
    const key = join(directory, 'a.pub');
    writeFileSync(key, signer.publicKey.export({ type: 'spki', format: 'pem' }));
    const policy = [{ repository: `${registry.host}/team/*`, signedBy: [key] }];
    const registries = parseRegistries('registries.yaml', JSON.stringify({ policy }));
    store = await openStore(directory, registry, { registries });
  });
  afterEach(async () => {
    await store.close();
    await registry.close();
    rmSync(directory, { recursive: true });
  });
  const pull = (reference: string) =>
    store.pull({ reference, credentials: [], onProgress: () => {} }, new AbortController().signal);
  const sign = (name: string, key: KeyObject, claimed = name) => {
    const [repository = '', tag] = name.split(':');
    const digest = digestOf(registry.manifests.get(`${repository}:${tag}`)!.bytes);
    const payload = payloadOf(`${registry.host}/${claimed.split(':')[0]}`, digest);
    putSignatures(registry, { repository, digest }, [signed(payload, key)]);
  };
  const refusal = { reason: 'SignatureValidationFailed', message: expect.anything() };

  it('is there when it is, behind an index too', async () => {
    const reference = registry.put('team/web:1', { layers: [layerOf('web')], index: true });
    sign('team/web:1', signer.privateKey);
    expect((await pull(reference)).references).toEqual([reference]);
  });

  it('is refused when it isn’t, by a stranger, or as another one, before anything of it comes', async () => {
    const unsigned = registry.put('team/unsigned:1', { layers: [layerOf('a')] });
    const others = registry.put('team/others:1', { layers: [layerOf('b')] });
    sign('team/others:1', stranger.privateKey);
    registry.put('team/web:1', { layers: [layerOf('web')] });
    const copied = registry.put('team/copied:1', { layers: [layerOf('web')] });
    sign('team/copied:1', signer.privateKey, 'team/web:1');
    for (const [reference, why] of [
      [unsigned, 'it has no signatures'],
      [others, 'it is signed by none of'],
      [copied, 'as another repository'],
    ] as const)
      await expect(pull(reference)).rejects.toMatchObject({
        ...refusal,
        message: expect.stringMatching(new RegExp(`registries.yaml:1.*${why}`)),
      });
    expect(readdirSync(join(directory, 'blobs'))).toEqual([]);
    expect(await store.list()).toEqual([]);
  });

  it('is refused when its tag has moved to another image', async () => {
    const reference = registry.put('team/web:1', { layers: [layerOf('web')] });
    sign('team/web:1', signer.privateKey);
    const good = await pull(reference);
    registry.put('team/web:1', { layers: [layerOf('evil')] });
    await expect(pull(reference)).rejects.toMatchObject(refusal);
    expect((await store.find(reference))?.id).toBe(good.id);
  });
});
