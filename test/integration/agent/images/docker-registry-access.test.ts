import { spawn } from 'node:child_process';
import {
  createPrivateKey,
  generateKeyPairSync,
  randomUUID,
  sign,
  X509Certificate,
} from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parseManifest } from '../../../../agent/images/manifest.ts';
import { parseRegistries } from '../../../../agent/images/read-registries.ts';
import { parseReference } from '../../../../agent/images/reference.ts';
import { checkTrust } from '../../../../agent/images/trust.ts';
import { buildHelloImage } from '../../../../dev/images/hello-image.ts';
import { pushImage } from '../../../../dev/images/push-image.ts';
import { type Registry, startRegistry } from '../../../../dev/images/registry.ts';
import { type Issued, makeAuthority } from '../../../support/certificates.ts';
import { payloadOf, pushSignatures, signed } from '../../../support/cosign.ts';
import { cacheDirectory } from '../../../support/debian-image.ts';
import { type ClientSetup, registryClients } from '../../../support/registry-clients.ts';

let directory: string;
let authority: Awaited<ReturnType<typeof makeAuthority>>;
let server: Issued;
let client: Issued;
let registry: Registry | undefined;
const clients = registryClients();

const env = (more: Record<string, string>) => ({
  ...more,
  REGISTRY_HTTP_TLS_CERTIFICATE: server.certFile,
  REGISTRY_HTTP_TLS_KEY: server.keyFile,
});
/** Debian's docker-registry with these settings; gives HOST:PORT. */
async function start(settings: Record<string, string>, address = '127.0.0.1'): Promise<string> {
  registry = await startRegistry({
    ...{ address, port: 0, dataDir: join(directory, 'registry'), cacheDir: cacheDirectory },
    spawn: (command, args, options) =>
      spawn(command, args, { ...options, env: { ...process.env, ...settings } }),
  });
  return new URL(registry.url.replace(/,$/, '')).host;
}
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'orc-registry-access-'));
  authority = await makeAuthority(join(directory, 'pki'));
  server = await authority.issue('localhost', ['127.0.0.1', '::1']);
  client = await authority.issue('node');
  await start({});
  const image = await buildHelloImage(cacheDirectory);
  await pushImage(image, { registry: registry?.url ?? '', repository: 'team/hello', tag: '1' });
  await registry?.stop();
}, 120_000);
afterEach(async () => {
  await clients.close();
  await registry?.stop();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const configs = (of: object) => parseRegistries('r.yaml', JSON.stringify({ configs: of }));
const ca = () => ({ ca_file: authority.certFile });
/** An index, the manifest that it names, and that one's configuration. */
async function pull(host: string, { network, ...more }: ClientSetup): Promise<number> {
  const limits = { connectTimeoutMs: 5000, idleTimeoutMs: 5000 };
  const from = clients.client(`${host}/team/hello:1`, {
    ...more,
    network: { ...limits, ...network },
  });
  const signal = AbortSignal.timeout(20_000);
  const index = await from.fetchManifest('1', signal);
  const [{ digest } = { digest: '' }] = JSON.parse(index.bytes.toString()).manifests;
  const { bytes, mediaType } = await from.fetchManifest(digest, signal);
  const manifest = parseManifest(bytes, mediaType);
  if (manifest.kind === 'index') throw new Error('an index in an index');
  return (await from.fetchBlob(manifest.config, signal)).length;
}

describe('docker-registry with TLS', () => {
  it.each(['127.0.0.1', '[::1]'])(
    'at %s is trusted by its own authority only',
    async (address) => {
      const host = await start(env({}), address);
      expect(
        await pull(host, { network: { registries: configs({ [host]: { tls: ca() } }) } }),
      ).toBeGreaterThan(0);
      expect(
        await pull(host, { network: { registries: configs({ '*': { tls: ca() } }) } }),
      ).toBeGreaterThan(0);
      const skip = { tls: { insecure_skip_verify: true } };
      expect(
        await pull(host, { network: { registries: configs({ [host]: skip }) } }),
      ).toBeGreaterThan(0);
      for (const registries of [
        configs({}),
        configs({ 'other:5000': { tls: ca() }, 'localhost:1': skip }),
      ])
        await expect(pull(host, { network: { registries } })).rejects.toMatchObject({
          reason: 'RegistryUnavailable',
          cause: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
        });
    },
    60_000,
  );

  it('that wants a client’s certificate gets that of this host', async () => {
    const clientCas = { REGISTRY_HTTP_TLS_CLIENTCAS: `[${authority.certFile}]` };
    const host = await start(env(clientCas));
    const pair = { cert_file: client.certFile, key_file: client.keyFile };
    const registries = configs({ [host]: { tls: { ...ca(), ...pair } } });
    expect(await pull(host, { network: { registries } })).toBeGreaterThan(0);
    const without = configs({ [host]: { tls: ca() }, 'other:1': { tls: pair } });
    await expect(pull(host, { network: { registries: without } })).rejects.toMatchObject({
      reason: 'RegistryUnavailable',
    });
  }, 60_000);
});

describe('docker-registry with users', () => {
  it('of a password file', async () => {
    const passwords = join(directory, 'htpasswd');
    // bcrypt of "secret".
    writeFileSync(passwords, 'ann:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n');
    const host = await start(
      env({
        ...{ REGISTRY_AUTH: 'htpasswd', REGISTRY_AUTH_HTPASSWD_REALM: 'r' },
        REGISTRY_AUTH_HTPASSWD_PATH: passwords,
      }),
    );
    const auth = (password: string) => ({ username: 'ann', password });
    const good = configs({ [host]: { tls: ca(), auth: auth('secret') } });
    expect(await pull(host, { network: { registries: good } })).toBeGreaterThan(0);
    const bad = configs({ [host]: { tls: ca(), auth: auth('wrong') } });
    const failed = { reason: 'Unauthorized', message: expect.stringContaining('401 UNAUTHORIZED') };
    await expect(pull(host, { network: { registries: bad } })).rejects.toMatchObject(failed);
    const credentials = [{ registry: `${host}/team`, ...auth('secret') }];
    expect(await pull(host, { credentials, network: { registries: bad } })).toBeGreaterThan(0);
  }, 60_000);

  it('of a server that gives out tokens', async () => {
    const tokens = await serveTokens();
    try {
      const host = await start(
        env({
          ...{ REGISTRY_AUTH: 'token', REGISTRY_AUTH_TOKEN_REALM: `https://${tokens.host}/token` },
          ...{ REGISTRY_AUTH_TOKEN_SERVICE: 'orc', REGISTRY_AUTH_TOKEN_ISSUER: 'test' },
          REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE: authority.certFile,
        }),
      );
      const registries = configs({ '*': { tls: ca() } });
      const credentials = [{ registry: host, username: 'ann', password: 'secret' }];
      expect(await pull(host, { credentials, network: { registries } })).toBeGreaterThan(0);
      expect(tokens.asked).toEqual(['/token?service=orc&scope=repository%3Ateam%2Fhello%3Apull']);
      await expect(pull(host, { network: { registries } })).rejects.toMatchObject({
        reason: 'Unauthorized',
      });
    } finally {
      tokens.server.close();
    }
  }, 60_000);
});

it('docker-registry keeps signatures as well as images', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const host = await start({});
  const key = join(directory, 'key.pub');
  writeFileSync(key, publicKey.export({ type: 'spki', format: 'pem' }));
  const name = `${host}/team/hello`;
  const rules = [{ repository: `${host}/*`, signedBy: [key] }];
  const { policy } = parseRegistries('r.yaml', JSON.stringify({ policy: rules }));
  const reference = parseReference(name);
  const from = clients.client(name, { network: { insecure: [host] } });
  const signal = AbortSignal.timeout(20_000);
  const { digest } = await from.fetchManifest('1', signal);
  const check = () => checkTrust({ policy, reference, digest, ...from }, signal);
  await expect(check()).rejects.toMatchObject({
    message: expect.stringContaining('no signatures'),
  });
  const signature = signed(payloadOf(name, digest), privateKey);
  await pushSignatures(`http://${host}`, { repository: 'team/hello', digest }, [signature]);
  expect(await check()).toMatch(/^sha256:/);
}, 60_000);

/** Signs tokens as distribution's docs, spec/auth/jwt.md, want them: for ann and whatever she asks for. */
async function serveTokens(): Promise<{ server: Server; host: string; asked: string[] }> {
  const asked: string[] = [];
  const tokens = createServer({ cert: server.cert, key: server.key }, (request, response) => {
    const isAnn = request.headers.authorization === `Basic ${btoa('ann:secret')}`;
    if (!isAnn) return void response.writeHead(401).end('{}');
    asked.push(request.url ?? '');
    const { searchParams } = new URL(request.url ?? '', 'https://x');
    response.end(JSON.stringify({ token: tokenFor(searchParams), expires_in: 60 }));
  });
  tokens.listen(0, '127.0.0.1');
  await once(tokens, 'listening');
  return { server: tokens, host: `127.0.0.1:${(tokens.address() as AddressInfo).port}`, asked };
}

function tokenFor(wanted: URLSearchParams): string {
  const [type, name, actions] = wanted.get('scope')?.split(':') ?? [];
  const now = Math.floor(Date.now() / 1000);
  const x5c = [new X509Certificate(server.cert).raw.toString('base64')];
  const head = { typ: 'JWT', alg: 'ES256', x5c };
  const body = {
    ...{ iss: 'test', sub: 'ann', aud: wanted.get('service'), jti: randomUUID() },
    ...{ iat: now, nbf: now - 10, exp: now + 60 },
    access: [{ type, name, actions: actions?.split(',') }],
  };
  const signed = [head, body]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const key = { key: createPrivateKey(server.key), dsaEncoding: 'ieee-p1363' as const };
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
}
