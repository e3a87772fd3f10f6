import { describe, expect, it } from 'vitest';
import { parseImageConfig } from '../../../../agent/images/image-config.ts';
import { choosePlatform, hostPlatform, parseManifest } from '../../../../agent/images/manifest.ts';

const ociManifest = 'application/vnd.oci.image.manifest.v1+json';
const ociIndex = 'application/vnd.oci.image.index.v1+json';
const dockerManifest = 'application/vnd.docker.distribution.manifest.v2+json';
const gzipLayer = 'application/vnd.oci.image.layer.v1.tar+gzip';
const digest = `sha256:${'b'.repeat(64)}`;
const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 10 };
const layer = { mediaType: gzipLayer, digest, size: 20 };
const manifest = { schemaVersion: 2, mediaType: ociManifest, config, layers: [layer] };
const index = {
  schemaVersion: 2,
  manifests: [
    { mediaType: ociManifest, digest, size: 5, platform: { os: 'linux', architecture: 'amd64' } },
    { mediaType: ociManifest, digest, size: 6, platform: { os: 'linux', architecture: 'arm64' } },
    { mediaType: 'application/vnd.example', digest, size: 7 },
  ],
};
const parse = (document: object | string, type = ociManifest) =>
  parseManifest(
    Buffer.from(typeof document === 'string' ? document : JSON.stringify(document)),
    type,
  );

describe('a manifest', () => {
  it('is read in OCI’s form and in docker’s', () => {
    const parsed = {
      kind: 'manifest',
      config,
      layers: [{ ...layer, compression: 'gzip' }],
    };
    expect(parse(manifest, `${ociManifest}; charset=utf-8`)).toEqual(parsed);
    const docker = {
      ...manifest,
      mediaType: dockerManifest,
      config: { ...config, mediaType: 'application/vnd.docker.container.image.v1+json' },
      layers: [{ ...layer, mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip' }],
    };
    expect(parse(docker, dockerManifest)).toMatchObject({ layers: [{ compression: 'gzip' }] });
  });

  it('of an index leads to the platform that is asked for, or says which there are', () => {
    const parsed = parse(index, ociIndex);
    if (parsed.kind !== 'index') throw new Error('not an index');
    expect(choosePlatform(parsed, 'linux/arm64').size).toBe(6);
    expect(() => choosePlatform(parsed, 'linux/riscv64')).toThrow('linux/amd64, linux/arm64');
  });

  it.each([
    ['both layers and manifests', { ...manifest, manifests: [] }, ociManifest, 'InvalidManifest'],
    [
      'another type than it says',
      { ...manifest, mediaType: ociIndex },
      ociManifest,
      'InvalidManifest',
    ],
    ['no JSON', '{', ociManifest, 'InvalidManifest'],
    ['a list', '[]', ociManifest, 'InvalidManifest'],
    ['an unknown type', { ...manifest, mediaType: undefined }, 'text/html', 'UnsupportedMediaType'],
    ['schema 1', { schemaVersion: 1 }, ociManifest, 'UnsupportedMediaType'],
    [
      'a chart’s configuration',
      { ...manifest, config: { ...config, mediaType: 'application/vnd.cncf.helm.config.v1+json' } },
      ociManifest,
      'UnsupportedMediaType',
    ],
    [
      'a foreign layer',
      {
        ...manifest,
        layers: [
          { ...layer, mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' },
        ],
      },
      ociManifest,
      'UnsupportedMediaType',
    ],
    [
      'an encrypted layer',
      { ...manifest, layers: [{ ...layer, mediaType: `${gzipLayer}+encrypted` }] },
      ociManifest,
      'UnsupportedMediaType',
    ],
    [
      'a digest that is a path',
      { ...manifest, layers: [{ ...layer, digest: 'sha256:../../x' }] },
      ociManifest,
      'InvalidManifest',
    ],
    [
      'a negative size',
      { ...manifest, layers: [{ ...layer, size: -1 }] },
      ociManifest,
      'InvalidManifest',
    ],
    [
      'a huge configuration',
      { ...manifest, config: { ...config, size: 2 ** 40 } },
      ociManifest,
      'TooLarge',
    ],
    ['too many layers', { ...manifest, layers: Array(128).fill(layer) }, ociManifest, 'TooLarge'],
    ['no layers', { ...manifest, layers: undefined }, ociManifest, 'InvalidManifest'],
  ])('with %s is refused', (...[, document, type, reason]) => {
    expect(() => parse(document, type)).toThrow(expect.objectContaining({ reason }));
  });
});

describe('an image’s configuration', () => {
  const [os, architecture] = hostPlatform().split('/');
  const good = {
    os,
    architecture,
    config: {
      Entrypoint: ['/bin/a'],
      Env: ['A=1'],
      User: '5:6',
      StopSignal: 'SIGQUIT',
      Volumes: { '/v': {} },
    },
    rootfs: { type: 'layers', diff_ids: [digest] },
  };
  const read = (document: object) => parseImageConfig(Buffer.from(JSON.stringify(document)), 1);

  it('gives what containers need', () => {
    expect(read(good)).toEqual({
      diffIds: [digest],
      config: {
        entrypoint: ['/bin/a'],
        cmd: [],
        env: ['A=1'],
        workingDir: '',
        user: '5:6',
        volumes: ['/v'],
        stopSignal: 'SIGQUIT',
      },
    });
    expect(read({ ...good, config: { Cmd: null } }).config.cmd).toEqual([]);
  });

  it.each([
    ['for another processor', { ...good, architecture: 'mips' }, 'UnsupportedPlatform'],
    [
      'with other layers than the manifest',
      { ...good, rootfs: { diff_ids: [] } },
      'InvalidManifest',
    ],
    ['without layers', { ...good, rootfs: undefined }, 'InvalidManifest'],
    ['with a command that is no list', { ...good, config: { Cmd: 'sh' } }, 'InvalidManifest'],
    ['with a zero byte in a variable', { ...good, config: { Env: ['A=\0'] } }, 'InvalidManifest'],
  ])('%s is refused', (_, document, reason) => {
    expect(() => read(document)).toThrow(expect.objectContaining({ reason }));
  });
});
