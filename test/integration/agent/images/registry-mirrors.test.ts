import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBlobStore } from '../../../../agent/images/blob-store.ts';
import { ImageError } from '../../../../agent/images/image-error.ts';
import { parseRegistries } from '../../../../agent/images/read-registries.ts';
import { systemClock } from '../../../../base/clock.ts';
import { errorChain } from '../../../../base/error-chain.ts';
import { makeAuthority } from '../../../support/certificates.ts';
import {
  type Answer,
  digestOf,
  refuse,
  serveRegistry,
  type TestRegistry,
} from '../../../support/registry.ts';
import { type ClientSetup, registryClients } from '../../../support/registry-clients.ts';

const clients = registryClients();
let registry: TestRegistry;
let first: TestRegistry;
let second: TestRegistry;
let directory: string;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'orc-mirrors-'));
  [registry, first, second] = await Promise.all([
    serveRegistry(),
    serveRegistry(),
    serveRegistry(),
  ]);
  for (const one of [registry, first, second])
    one.put('team/web:1', { layers: [Buffer.alloc(100_000, 'layer')] });
});
afterEach(async () => {
  await clients.close();
  await Promise.all([registry.close(), first.close(), second.close()]);
  rmSync(directory, { recursive: true });
});

/** JSON is YAML. */
const registriesOf = (more: object = {}) =>
  parseRegistries(
    'r.yaml',
    JSON.stringify({
      mirrors: { [registry.host]: { endpoint: [`http://${first.host}`, `http://${second.host}`] } },
      ...more,
    }),
  );
const client = ({ network, ...more }: ClientSetup = {}) =>
  clients.client(`${registry.host}/team/web:1`, {
    network: { insecure: [registry.host], registries: registriesOf(), ...network },
    ...more,
  });
const signal = () => new AbortController().signal;
const manifest = (setup?: ClientSetup) => client(setup).fetchManifest('1', signal());
const asked = () => [first, second, registry].map(({ requests }) => requests.length);
const no =
  (status: number, headers: Record<string, string> = {}): Answer =>
  (_, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    refuse(response, status, { code: 'NO', message: 'why' });
  };

describe('mirrors', () => {
  it('are asked in their order, and are told whose image it is', async () => {
    await manifest();
    expect(asked()).toEqual([1, 0, 0]);
    expect(first.requests[0]?.url).toBe(
      `/v2/team/web/manifests/1?ns=${encodeURIComponent(registry.host)}`,
    );
  });

  it('that are dead are passed over, once for the whole pull', async () => {
    await first.close();
    const pulling = client();
    await pulling.fetchManifest('1', signal());
    await pulling.fetchManifest('1', signal());
    expect(asked()).toEqual([0, 2, 0]);
  });

  it.each([401, 403, 404, 429, 500, 503])(
    'that answer %i are passed over at once',
    async (status) => {
      first.instead(/./, no(status, { 'retry-after': '9' }), 99);
      await manifest();
      expect(asked()).toEqual([1, 1, 0]);
      expect(clients.waits).toEqual([]);
    },
  );

  it('that lack one thing are asked for the next; those that fail otherwise are not', async () => {
    first.instead(/manifests.none/, no(404));
    second.instead(/manifests.none/, no(500));
    const pulling = client();
    await expect(pulling.fetchManifest('none', signal())).rejects.toThrow('404');
    first.instead(/manifests.1/, no(404));
    await pulling.fetchManifest('1', signal());
    await pulling.fetchManifest('1', signal());
    expect(asked()).toEqual([3, 1, 2]);
  });

  it('that send another manifest than its digest are passed over', async () => {
    const { bytes } = registry.manifests.get('team/web:1')!;
    first.instead(/./, (_, response) => void response.end('{}'), 99);
    const got = await client().fetchManifest(digestOf(bytes), signal());
    expect(got.bytes).toEqual(bytes);
    expect(asked()).toEqual([1, 1, 0]);
  });

  it('are all told of when nobody has it, and the registry is asked as often as ever', async () => {
    await first.close();
    second.instead(/./, no(503), 99);
    registry.instead(/./, no(500), 99);
    const failure = await manifest().catch((error: unknown) => error);
    expect(failure).toMatchObject({ reason: 'RegistryUnavailable' });
    expect(errorChain(failure)).toBe(
      `registry ${registry.host} answered 500 NO why for team/web ` +
        `(after registry ${second.host} answered 503 NO why for team/web ` +
        `(after registry ${first.host}: connect ECONNREFUSED ${first.host}))`,
    );
    expect(asked()).toEqual([0, 1, 5]);
  });

  it('may break off in a blob: the next goes on where they stopped', async () => {
    const blob = Buffer.from(Array.from({ length: 500_000 }, (_, i) => i % 251));
    const descriptor = { mediaType: 'x', digest: digestOf(blob), size: blob.length };
    for (const one of [first, second]) one.blobs.set(descriptor.digest, blob);
    first.instead(/blobs/, (_, response) => {
      response.writeHead(200, { 'content-length': blob.length });
      response.write(blob.subarray(0, 200_000), () => response.destroy());
    });
    const store = await openBlobStore(directory, systemClock());
    const download = client().downloadBlob;
    await store.ensure({ descriptor, download, onBytes: () => {} }, signal());
    expect(await store.read(descriptor.digest)).toEqual(blob);
    expect(second.requests[0]?.headers.range).toMatch(/^bytes=[1-9]\d*-$/);
    expect(asked()).toEqual([1, 1, 0]);
  });

  it('have the repository by the name that they give it', async () => {
    await first.close();
    second.put('cache/w/web:1', { layers: [] });
    const endpoint = [`http://${first.host}`, `http://${second.host}/v2`];
    const rewrite = { '^no': 'no', '^team/(.*)$': 'cache/w/$1', '^': 'never/' };
    const mirrors = { [registry.host]: { endpoint, rewrite } };
    await manifest({ network: { registries: registriesOf({ mirrors }) } });
    expect(second.requests.map((r) => r.url?.split('?')[0])).toEqual([
      '/v2/cache/w/web/manifests/1',
    ]);
  });

  it('get their own logins, and never the registry’s', async () => {
    const login = (username: string) => ({ username, password: 'pw' });
    const basic = (username: string) => `Basic ${Buffer.from(`${username}:pw`).toString('base64')}`;
    const challenge = { 'www-authenticate': 'Basic realm="r"' };
    for (const one of [first, second, registry]) one.instead(/./, no(401, challenge), 99);
    const registries = registriesOf({ configs: { [second.host]: { auth: login('mirrors') } } });
    const credentials = [{ registry: registry.host, ...login('pods') }];
    await expect(manifest({ credentials, network: { registries } })).rejects.toThrow('401');
    const shown = [first, second, registry].map(({ requests }) =>
      requests.map((r) => r.headers.authorization),
    );
    expect(shown).toEqual([[undefined], [undefined, basic('mirrors')], [undefined, basic('pods')]]);
  });

  it('are not asked when it is the node’s disk that fails', async () => {
    const [descriptor] = JSON.parse(first.manifests.get('team/web:1')!.bytes.toString()).layers;
    const full = new ImageError('StorageFailed', 'the disk is full');
    const sink = { receivedBytes: 0, write: () => Promise.reject(full), restart: () => undefined };
    await expect(client().downloadBlob(descriptor, sink, signal())).rejects.toBe(full);
    expect(asked()).toEqual([1, 0, 0]);
  });

  it('have a TLS of their own: the registry gets neither their trust nor their certificate', async () => {
    const authority = await makeAuthority(directory);
    const { cert, key } = await authority.issue('localhost', ['127.0.0.1']);
    const { certFile, keyFile } = await authority.issue('node');
    const shown: unknown[] = [];
    const tls = { cert, key, ca: authority.cert, requestCert: true, rejectUnauthorized: false };
    const [mirror, own] = await Promise.all([serveRegistry({ tls }), serveRegistry({ tls })]);
    for (const one of [mirror, own])
      one.instead(/./, (request, ...rest) => {
        shown.push((request.socket as TLSSocket).getPeerCertificate().subject?.CN);
        no(404)(request, ...rest);
      });
    const ca_file = authority.certFile;
    const registriesWith = (ownTls: object) =>
      parseRegistries(
        'r.yaml',
        JSON.stringify({
          mirrors: { [own.host]: { endpoint: [`https://${mirror.host}`] } },
          configs: {
            [mirror.host]: { tls: { ca_file, cert_file: certFile, key_file: keyFile } },
            [own.host]: ownTls,
          },
        }),
      );
    const pull = (ownTls: object) =>
      clients
        .client(`${own.host}/team/web:1`, { network: { registries: registriesWith(ownTls) } })
        .fetchManifest('1', signal());
    try {
      await expect(pull({})).rejects.toMatchObject({ reason: 'RegistryUnavailable' });
      expect(shown).toEqual(['node']);
      await expect(pull({ tls: { ca_file } })).rejects.toMatchObject({ reason: 'ManifestUnknown' });
      expect(shown).toEqual(['node', undefined]);
    } finally {
      await Promise.all([mirror.close(), own.close()]);
    }
  });
});
