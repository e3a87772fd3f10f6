import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ImageStore, openImageStore } from '../../../agent/images/image-store.ts';
import type { Peer, PeerIdentity } from '../../../agent/images/peer-client.ts';
import type { RegistryCredential } from '../../../agent/ports.ts';
import { newCertificateRequest } from '../../../agent/session/certificate-request.ts';
import { systemClock } from '../../../base/clock.ts';
import { silentLog } from '../../../base/log.ts';
import { systemRng } from '../../../base/rng.ts';
import { type CertificateAuthority, openCa } from '../../../controller/auth/ca.ts';
import { nativeBinary } from '../../../native/binary.ts';
import { serveRegistry, type TestRegistry } from '../../support/registry.ts';
import { tarArchive } from '../../support/tar-archive.ts';
import { waitFor } from '../../support/wait-for.ts';

const base = { clock: systemClock(), rng: systemRng(), log: silentLog };
/** Each node has an address of its own on the loopback interface; the port is the same. */
const port = 21_000 + (process.pid % 20_000);
const addressOf = (name: string) => `127.0.7.${name.replace(/\D/g, '')}`;

let directory: string;
let registry: TestRegistry;
let ca: CertificateAuthority;
let nodes: Map<string, ImageStore>;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'orc-sharing-'));
  registry = await serveRegistry();
  ca = await openCa({ dir: join(directory, 'pki'), ...base });
  nodes = new Map();
});
afterEach(async () => {
  for (const node of nodes.values()) await node.close();
  await registry.close();
  rmSync(directory, { recursive: true });
});

async function identityOf(name: string): Promise<PeerIdentity> {
  const { key, csr } = await newCertificateRequest(name);
  return { key, certificate: await ca.signNode(csr, name), ca: ca.certificate };
}

async function start(name: string, others: readonly Peer[]): Promise<ImageStore> {
  const node = await openImageStore({
    directory: join(directory, name),
    writer: [nativeBinary, 'orc-unpack'],
    network: {
      insecure: [registry.host],
      proxySocket: undefined,
      connectTimeoutMs: 2000,
      idleTimeoutMs: 5000,
    },
    peers: {
      ...{ nodeName: name, port, address: addressOf(name), others: () => others },
      identity: await identityOf(name),
    },
    ...base,
  });
  nodes.set(name, node);
  return node;
}

const others = (known: readonly string[], self: string): Peer[] =>
  known.filter((name) => name !== self).map((name) => ({ name, address: addressOf(name) }));

const startAll = (names: readonly string[]) =>
  Promise.all(names.map((name) => start(name, others(names, name))));

const pull = (node: ImageStore, reference: string, credentials: RegistryCredential[] = []) =>
  node.pull({ reference, credentials, onProgress: () => {} }, new AbortController().signal);

const layerOf = (name: string) =>
  tarArchive([{ path: name, content: Buffer.alloc(3_000_000, name) }]);
const web = () =>
  registry.put('web:1', { layers: ['base', 'lib', 'app'].map(layerOf), index: true });

/** What was asked of the registry and given, by blob. */
const blobRequests = () =>
  registry.requests.flatMap(({ url = '' }) => /\/blobs\/(.*)/.exec(url)?.[1] ?? []).toSorted();

const six = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'];

describe('nodes that need an image', () => {
  it('at the same time get each blob of it from its registry once', async () => {
    const stores = await startAll(six);
    const reference = web();
    const images = await Promise.all(stores.map((node) => pull(node, reference)));
    const asked = blobRequests();
    expect(asked).toEqual([...new Set(asked)]);
    expect(asked.length).toBe(4);
    for (const { layers, id } of images) {
      expect(id).toBe(images[0]?.id);
      expect(layers.flatMap((layer) => readdirSync(layer))).toEqual(['base', 'lib', 'app']);
    }
  });

  it('get it from one that has it when its registry has gone, tag and all', async () => {
    const [first, ...others] = await startAll(six);
    const reference = web();
    const image = await pull(first!, reference);
    await registry.close();
    const images = await Promise.all(others.map((node) => pull(node, reference)));
    expect(images.map(({ digest }) => digest)).toEqual(others.map(() => image.digest));
  });

  it('get it, when its registry has gone, by digest; but none that took credentials', async () => {
    const [first, second] = await startAll(['n1', 'n2']);
    const [secret, reference] = [registry.put('secret:1', { layers: [layerOf('s')] }), web()];
    const ann = { registry: registry.host, username: 'ann', password: 'x' };
    const challenge = { 'www-authenticate': 'Basic realm="x"' };
    registry.instead(
      /secret/,
      ({ headers }, response, ordinarily) =>
        headers.authorization ? ordinarily() : void response.writeHead(401, challenge).end(),
      99,
    );
    const { digest } = await pull(first!, secret, [ann]);
    const byDigest = `${registry.host}/web@${(await pull(first!, reference)).digest}`;
    await registry.close();
    expect((await pull(second!, byDigest)).references).toEqual([byDigest]);
    for (const name of [secret, `${registry.host}/secret@${digest}`])
      await expect(pull(second!, name)).rejects.toMatchObject({ reason: 'RegistryUnavailable' });
  });
});

describe('a node that another one takes a blob from', () => {
  it('may have wrong bytes: then the registry is asked', async () => {
    const [first, second] = await startAll(['n1', 'n2']);
    const reference = web();
    await pull(first!, reference);
    const blobs = join(directory, 'n1', 'blobs');
    for (const name of readdirSync(blobs))
      writeFileSync(join(blobs, name), readFileSync(join(blobs, name)).reverse());
    expect((await pull(second!, reference)).layers.length).toBe(3);
    expect(blobRequests().length).toBe(4 + 3 + 1);
  });

  it('may die in the middle: the rest comes from the registry', async () => {
    const [first, second] = await startAll(['n1', 'n2']);
    const content = randomBytes(2 << 20);
    const reference = registry.put('web:1', { layers: [tarArchive([{ path: 'app', content }])] });
    const { layers } = JSON.parse(registry.manifests.get('web:1')!.bytes.toString());
    const [{ digest }] = layers;
    const blob = registry.blobs.get(digest)!;
    registry.instead(new RegExp(digest), (_, response) => {
      response.writeHead(200, { 'content-length': blob.length });
      response.write(blob.subarray(0, blob.length / 2));
    });
    const dying = pull(first!, reference).catch((error: unknown) => error);
    const partial = join(directory, 'n2', 'partial', digest.slice('sha256:'.length));
    await waitFor('the first node', () => readdirSync(join(directory, 'n1/partial')).length > 0);
    const living = pull(second!, reference);
    await waitFor('half of it', () => existsSync(partial) && statSync(partial).size > 0);
    await first!.close();
    expect((await living).layers.length).toBe(1);
    expect(registry.requests.some(({ headers }) => headers.range !== undefined)).toBe(true);
    await registry.close();
    await dying;
  });

  it('may not be there at all', async () => {
    const node = await start('n1', others(['n8', 'n9'], 'n1'));
    expect((await pull(node, web())).layers.length).toBe(3);
  });

  it('must be who the table says', async () => {
    const [other] = await startAll(['n1']);
    const reference = web();
    await pull(other!, reference);
    const node = await start('n2', [{ name: 'n3', address: addressOf('n1') }]);
    await pull(node, reference);
    expect(blobRequests().length).toBe(4 + 4);
  });
});

describe('what a node has', () => {
  const ask = async (path: string, identity: Partial<PeerIdentity>) => {
    const { ca: authority, key, certificate: cert } = identity;
    const to = { host: addressOf('n1'), port, path, agent: false as const };
    const tls = { ca: authority, key, cert, checkServerIdentity: () => undefined };
    return new Promise<{ status?: number | undefined; body: Buffer }>((resolve, reject) => {
      request({ ...to, ...tls }, (answer) => {
        buffer(answer).then((body) => resolve({ status: answer.statusCode, body }), reject);
      })
        .on('error', reject)
        .end();
    });
  };

  it('is for nodes only', async () => {
    const [node] = await startAll(['n1']);
    const image = await pull(node!, web());
    const path = `/manifests/${image.digest}`;
    const { key, certificate } = await ca.issue({
      ...{ use: 'client', name: 'admin', groups: ['system:masters'] },
    });
    expect((await ask(path, await identityOf('n2'))).status).toBe(200);
    expect((await ask(path, { key, certificate, ca: ca.certificate })).status).toBe(403);
    await expect(ask(path, { ca: ca.certificate })).rejects.toThrow();
  });

  it.each(['/', '/blobs/x', '/blobs/..%2f..%2fimages.json', '/manifests/nothing', '/blobs/%'])(
    'is not at %s',
    async (path) => {
      await startAll(['n1']);
      const asked = ask(path, await identityOf('n2'));
      const answer = await asked.catch((error: NodeJS.ErrnoException) => error.code);
      expect(answer).toEqual(
        path === '/blobs/%' ? 'ECONNRESET' : { status: 404, body: Buffer.of() },
      );
    },
  );
});
