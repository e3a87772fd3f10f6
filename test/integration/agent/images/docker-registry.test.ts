import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ImageStore, openImageStore } from '../../../../agent/images/image-store.ts';
import type { Image } from '../../../../agent/ports.ts';
import { systemClock } from '../../../../base/clock.ts';
import { silentLog } from '../../../../base/log.ts';
import { systemRng } from '../../../../base/rng.ts';
import { buildHelloImage } from '../../../../dev/images/hello-image.ts';
import type { OciImage } from '../../../../dev/images/oci-image.ts';
import { pushImage } from '../../../../dev/images/push-image.ts';
import { type Registry, startRegistry } from '../../../../dev/images/registry.ts';
import { nativeBinary } from '../../../../native/binary.ts';
import { cacheDirectory } from '../../../support/debian-image.ts';
import { buildNginxImage, buildRedisImage } from '../../../support/server-images.ts';

let directory: string;
let registry: Registry;
let store: ImageStore;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'orc-docker-registry-'));
  registry = await startRegistry({
    address: '127.0.0.1',
    port: 0,
    dataDir: join(directory, 'registry'),
    cacheDir: cacheDirectory,
  });
  store = await openImageStore({
    directory: join(directory, 'images'),
    network: {
      insecure: [registry.url.slice('http://'.length)],
      proxySocket: undefined,
      connectTimeoutMs: 2000,
      idleTimeoutMs: 10_000,
    },
    writer: [nativeBinary, 'orc-unpack'],
    clock: systemClock(),
    rng: systemRng(),
    log: silentLog,
  });
}, 120_000);
afterAll(async () => {
  await store?.close();
  await registry?.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function pushAndPull(image: OciImage): Promise<Image> {
  const repository = `test/${image.name}`;
  const digest = await pushImage(image, { registry: registry.url, repository, tag: '1' });
  const reference = `${registry.url.slice('http://'.length)}/${repository}:1`;
  const pulled = await store.pull(
    { reference, credentials: [], onProgress: () => {} },
    AbortSignal.timeout(25_000),
  );
  expect(pulled.digest).toBe(digest);
  expect(pulled.id).toBe(image.config.digest);
  return pulled;
}

it('pulls hello, behind an image index, from the CNCF’s registry', async () => {
  const hello = await pushAndPull(await buildHelloImage(cacheDirectory));
  const [busybox = '', program = ''] = hello.layers;
  expect(hello.config.entrypoint).toEqual(['/bin/hello']);
  expect(statSync(join(busybox, 'bin/sh')).size).toBeGreaterThan(500_000);
  expect(readFileSync(join(program, 'bin/hello'), 'utf8')).toContain('httpd');
}, 120_000);

it('pulls nginx, in four layers', async () => {
  const nginx = await pushAndPull(await buildNginxImage(cacheDirectory));
  const [, , program = '', configuration = ''] = nginx.layers;
  expect(statSync(join(program, 'usr/sbin/nginx')).mode & 0o7777).toBe(0o755);
  expect(readFileSync(join(configuration, 'etc/nginx/nginx.conf'), 'utf8')).toContain('www-data');
  expect(nginx.config.stopSignal).toBe('SIGQUIT');
}, 120_000);

it('pulls redis, whose libraries are a layer of their own', async () => {
  const redis = await pushAndPull(await buildRedisImage(cacheDirectory));
  expect(statSync(join(redis.layers[2] ?? '', 'usr/local/bin/entrypoint')).mode & 0o111).toBe(
    0o111,
  );
  expect(redis.config.volumes).toEqual(['/data']);
}, 120_000);

it('pushes nothing twice', async () => {
  const hello = await buildHelloImage(cacheDirectory);
  const target = { registry: registry.url, repository: 'test/again', tag: '1' };
  expect(await pushImage(hello, target)).toBe(await pushImage(hello, target));
}, 120_000);
