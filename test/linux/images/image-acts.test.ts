import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noRegistries } from '../../../agent/images/registries.ts';
import { trustedKey } from '../../../agent/images/trust.ts';
import { type Registry, startRegistry } from '../../../dev/images/registry.ts';
import { payloadOf, putSignatures, signed } from '../../support/cosign.ts';
import { cacheDirectory } from '../../support/debian-image.ts';
import { type ImageNode, openImageNode } from '../../support/image-node.ts';
import { digestOf, serveRegistry, type TestRegistry } from '../../support/registry.ts';
import { tarArchive } from '../../support/tar-archive.ts';
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
const publish = (name: string, ...layers: readonly string[]) =>
  registry.put(name, { layers: layers.map(layerOf), index: true });
const names = async () => (await node.images()).flatMap((image) => image.names);

async function pull(name: string, ...layers: readonly string[]): Promise<string> {
  const reference = publish(name, ...layers);
  await node.ask('pull', { words: [reference] });
  return reference;
}

describe('the socket', () => {
  it('is root’s alone', () => {
    expect(statSync(node.socket).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['nope', {}, 'this agent knows no /nope'],
    ['toString', {}, 'this agent knows no /toString'],
    ['ls', { words: 'x' as never }, /words: .*list/],
    ['rm', { nope: 1 } as never, /nope: unknown field/],
    ['pull', { words: ['UPPER'] }, /must be lower case/],
    ['inspect', { words: ['nope'] }, /no image on this node is called nope/],
  ])('refuses %s %j in words', async (verb, asked, words) => {
    await expect(node.ask(verb, asked)).rejects.toThrow(words);
  });
});

describe('pull', () => {
  it('tells of each layer on its way, and that it is done', async () => {
    const reference = publish('web:1', 'base', 'web');
    const { transfers, notes } = await node.ask('pull', { words: [reference] });
    const last = transfers.at(-1) ?? [];
    expect(last.map(({ isDone }) => isDone)).toEqual([true, true]);
    expect(last.every(({ doneBytes, totalBytes }) => doneBytes === totalBytes)).toBe(true);
    expect(notes).toEqual([`${reference}: ${(await node.images())[0]?.digest}`]);
  });

  it('ends when the client goes', async () => {
    const reference = publish('web:1', 'base', 'web');
    registry.instead(/blobs/, () => undefined, 100);
    const before = registry.requests.length;
    const sent = request({ socketPath: node.socket, method: 'POST', path: '/pull' });
    sent.on('error', () => {});
    sent.end(JSON.stringify({ words: [reference] }));
    await waitFor('the pull', () => registry.requests.length > before + 2);
    const [blob] = registry.requests.slice(-1);
    const closed = new Promise((resolve) => blob?.on('error', resolve).once('close', resolve));
    sent.destroy();
    await closed;
  });

  it('logs in with a password for that registry only', async () => {
    const reference = publish('web:1', 'base');
    const challenge = { 'www-authenticate': 'Basic realm="here"' };
    registry.instead(/manifests/, (_, response) => response.writeHead(401, challenge).end(), 1);
    await node.ask('pull', { words: [reference], user: 'me', password: 'secret' });
    const authorization = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    expect(registry.requests.some((one) => one.headers.authorization === authorization)).toBe(true);
  });
});

describe('rm', () => {
  it('removes a name, and the image with the last one', async () => {
    const first = await pull('web:1', 'base', 'web');
    const second = await pull('web:2', 'base', 'web');
    expect((await node.images()).length).toBe(1);
    expect((await node.ask('rm', { words: [first] })).notes).toEqual([`${first} removed`]);
    expect(await names()).toEqual([second]);
    expect(await node.store.find(second)).toBeDefined();
    await node.ask('rm', { words: [second] });
    expect(node.entries()).toEqual({ blobs: 0, partial: 0, layers: 0, unfinished: 0 });
  });

  it('takes an id, or the beginning of it, for all names', async () => {
    await pull('web:1', 'base', 'web');
    await pull('web:2', 'base', 'web');
    const [image] = await node.images();
    await node.ask('rm', { words: [String(image?.id.slice(7, 12))] });
    expect(await node.images()).toEqual([]);
  });

  it('is refused while a pod or a container needs it', async () => {
    const first = await pull('web:1', 'base', 'web');
    const second = await pull('web:2', 'base', 'web');
    const [image] = await node.images();
    node.needed.add(String(image?.id)).add(second);
    await node.ask('rm', { words: [first] });
    await expect(node.ask('rm', { words: [second] })).rejects.toThrow(
      'a container of this node needs',
    );
    node.needed.delete(second);
    await expect(node.ask('rm', { words: [second] })).rejects.toThrow(
      'a container of this node needs',
    );
    expect(await names()).toEqual([second]);
  });

  it('removes what is pinned only by force', async () => {
    const reference = publish('web:1', 'base');
    await node.ask('pull', { words: [reference], pin: true });
    await node.ask('pull', { words: [reference] });
    expect(await node.images()).toMatchObject([{ isPinned: true }]);
    expect(await node.store.list()).toMatchObject([{ isPinned: true }]);
    await expect(node.ask('rm', { words: [reference] })).rejects.toThrow('is pinned; --force');
    await node.ask('rm', { words: [reference], force: true });
    expect(await node.images()).toEqual([]);
  });
});

describe('prune', () => {
  it('removes images without names; with all, those that nothing needs; never pinned ones', async () => {
    await pull('moved:1', 'old');
    await pull('moved:1', 'new');
    const needed = await pull('needed:1', 'needed');
    const pinned = publish('pinned:1', 'pinned');
    await node.ask('pull', { words: [pinned], pin: true });
    node.needed.add(needed);
    expect((await node.images()).length).toBe(4);
    const { notes } = await node.ask('prune');
    expect(notes[0]).toMatch(/^\w{12} removed$/);
    expect(notes.at(-1)).toMatch(/^[\d.]+ MB freed$/);
    expect((await node.images()).length).toBe(3);
    await node.ask('prune', { all: true });
    expect((await names()).sort()).toEqual([needed, pinned].sort());
  });
});

describe('inspect', () => {
  it('shows the documents as they came', async () => {
    const reference = await pull('web:1', 'base', 'web');
    const { result } = await node.ask('inspect', { words: [reference] });
    expect(result).toMatchObject({
      record: { names: [reference], isPinned: false },
      manifest: { schemaVersion: 2, layers: [{}, {}] },
      config: { rootfs: { type: 'layers' } },
    });
  });
});

describe('verify', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = String(publicKey.export({ type: 'spki', format: 'pem' }));
  const other = generateKeyPairSync('ed25519').publicKey;
  const otherPem = String(other.export({ type: 'spki', format: 'pem' }));
  const fingerprint = digestOf(publicKey.export({ type: 'spki', format: 'der' }));

  /** Of what the name stands for at the registry. */
  function sign(name: string): string {
    const digest = digestOf(registry.manifests.get(name)!.bytes);
    const [repository = ''] = name.split(':');
    const payload = payloadOf(`${registry.host}/${repository}`, digest);
    putSignatures(registry, { repository, digest }, [signed(payload, privateKey)]);
    return digest;
  }

  it('asks a key, whatever the policy is', async () => {
    const words = [publish('web:1', 'base', 'web')];
    const asked = { words, key: pem };
    await expect(node.ask('verify', asked)).rejects.toThrow(/refused by --key .* no signatures/);
    const digest = sign('web:1');
    expect((await node.ask('verify', asked)).notes).toEqual([
      `${words[0]}, ${digest}: signed by ${fingerprint}`,
    ]);
    const wrong = node.ask('verify', { words, key: otherPem });
    await expect(wrong).rejects.toThrow('it is signed by none of the key');
    const none = node.ask('verify', { words, key: 'no key' });
    await expect(none).rejects.toThrow('--key must be a public key, as PEM');
  });

  it('asks the policy, about what is on the node if it is there', async () => {
    const words = [publish('web:1', 'base', 'web')];
    expect((await node.ask('verify', { words })).notes[0]).toMatch(
      'accepted, and needs no signature',
    );
    await node.ask('pull', { words });
    publish('web:1', 'base', 'other');
    const signedLater = sign('web:1');
    const verdict = [trustedKey('a.pub', Buffer.from(pem))];
    const policy = [{ repository: '*', writtenAt: 'r.yaml:3', verdict }];
    const strict = await openImageNode([registry.host], { ...noRegistries, policy });
    try {
      const { notes } = await strict.ask('verify', { words });
      expect(notes).toEqual([`${words[0]}, ${signedLater}: signed by ${fingerprint}`]);
      const before = node.ask('verify', { words, key: pem });
      await expect(before).rejects.toThrow('no signatures');
    } finally {
      await strict.close();
    }
  });
});

describe('push', () => {
  let target: Registry;
  let door: Door;
  let pusher: ImageNode;
  const login = { user: 'me', password: 'secret' };
  beforeEach(async () => {
    const place = { dataDir: join(node.directory, 'registry'), cacheDir: cacheDirectory };
    target = await startRegistry({ address: '127.0.0.1', port: 0, ...place });
    door = await guard(target.url, login);
    pusher = await openImageNode([registry.host, door.host]);
  });
  afterEach(async () => {
    await pusher.close();
    await door.close();
    await target.stop();
  });

  it('gives a registry what it lacks, with the login that it wants', async () => {
    const words = [publish('web:1', 'base', 'web'), `${door.host}/copies/web:2`] as const;
    await pusher.ask('pull', { words: words.slice(0, 1) });
    const [image] = await pusher.images();
    await pusher.store.dropLayerBlobs();
    await expect(pusher.ask('push', { words })).rejects.toThrow('401');
    const { notes, transfers } = await pusher.ask('push', { words, ...login });
    expect(notes).toEqual([`${words[1]}: ${image?.digest}`]);
    expect(transfers.at(-1)?.map(({ isDone }) => isDone)).toEqual([true, true, true]);
    expect(door.uploads()).toBe(3);
    await pusher.ask('rm', { words: words.slice(0, 1) });
    await pusher.ask('pull', { words: words.slice(1), ...login });
    expect(await pusher.images()).toMatchObject([{ id: image?.id, digest: image?.digest }]);
    await pusher.ask('push', { words: words.slice(1), ...login });
    expect(door.uploads()).toBe(3);
  });

  it('says what lacks, and where it is to go', async () => {
    const reference = publish('web:1', 'base', 'web');
    await pusher.ask('pull', { words: [reference] });
    await pusher.store.dropLayerBlobs();
    registry.blobs.clear();
    const words = [reference, `${door.host}/copies/web:2`];
    await expect(pusher.ask('push', { words, ...login })).rejects.toThrow("can't be fetched");
    const [image] = await pusher.images();
    const byId = { words: [String(image?.id)], ...login };
    await expect(pusher.ask('push', byId)).rejects.toThrow('is no name: say where to');
  });
});

interface Door {
  readonly host: string;
  /** How many were begun. */
  uploads(): number;
  close(): Promise<void>;
}

/** Lets nobody to a registry but with these words. */
async function guard(url: string, { user, password }: { user: string; password: string }) {
  const accepted = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  let uploads = 0;
  const server = createServer((asked, answer) => {
    const { method, headers, url: path = '' } = asked;
    if (headers.authorization !== accepted) {
      asked.resume();
      return answer.writeHead(401, { 'www-authenticate': 'Basic realm="door"' }).end();
    }
    if (method === 'POST') uploads += 1;
    const inner = request(new URL(path, url), { method, headers }, (given) => {
      answer.writeHead(given.statusCode ?? 500, given.headers);
      given.pipe(answer);
    });
    asked.pipe(inner);
    return undefined;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const door: Door = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    uploads: () => uploads,
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
  return door;
}
