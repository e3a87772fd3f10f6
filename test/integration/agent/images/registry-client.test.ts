import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBlobStore } from '../../../../agent/images/blob-store.ts';
import type { Descriptor } from '../../../../agent/images/manifest.ts';
import { noRegistries } from '../../../../agent/images/registries.ts';
import type { RegistryCredential } from '../../../../agent/ports.ts';
import { systemClock } from '../../../../base/clock.ts';
import {
  type Answer,
  digestOf,
  refuse,
  serveRegistry,
  type TestRegistry,
} from '../../../support/registry.ts';
import { type ClientSetup, registryClients } from '../../../support/registry-clients.ts';

let registry: TestRegistry;
let directory: string;
const clients = registryClients();
beforeEach(async () => {
  registry = await serveRegistry();
  directory = mkdtempSync(join(tmpdir(), 'orc-registry-'));
  registry.put('team/web:1', { layers: [Buffer.alloc(300_000, 'layer')] });
});
afterEach(async () => {
  await clients.close();
  await registry.close();
  rmSync(directory, { recursive: true });
});

interface Setup extends ClientSetup {
  readonly reference?: string;
}

const client = ({ reference = `${registry.host}/team/web:1`, network, ...more }: Setup = {}) =>
  clients.client(reference, { ...more, network: { insecure: [registry.host], ...network } });

const signal = () => new AbortController().signal;
const manifest = (setup?: Setup) => client(setup).fetchManifest('1', signal());
const user = (password: string): RegistryCredential => ({
  registry: registry.host,
  username: 'ann',
  password,
});

async function download(blob: Buffer): Promise<Buffer> {
  registry.blobs.set(digestOf(blob), blob);
  const descriptor = { mediaType: 'x', digest: digestOf(blob), size: blob.length };
  return downloadAs(descriptor);
}

async function downloadAs(descriptor: Descriptor): Promise<Buffer> {
  const store = await openBlobStore(directory, systemClock());
  const download = client().downloadBlob;
  await store.ensure({ descriptor, download, onBytes: () => {} }, signal());
  return (await store.read(descriptor.digest)) ?? Buffer.of();
}

const answer =
  (status: number, headers: Record<string, string> = {}): Answer =>
  (_, response) =>
    void response.writeHead(status, headers).end();

describe('a registry that refuses', () => {
  it('is quoted: status, code, message', async () => {
    const missing = client().fetchManifest('2', signal());
    await expect(missing).rejects.toMatchObject({
      reason: 'ManifestUnknown',
      message: `registry ${registry.host} answered 404 MANIFEST_UNKNOWN manifest unknown for team/web`,
    });
  });

  it.each([
    [401, 'Unauthorized', 1],
    [403, 'Unauthorized', 1],
    [400, 'RegistryError', 1],
    [429, 'TooManyRequests', 5],
    [500, 'RegistryUnavailable', 5],
    [503, 'RegistryUnavailable', 5],
  ])('with %i: %s, after %i tries', async (status, reason, tries) => {
    registry.instead(
      /./,
      (_, response) => refuse(response, status, { code: 'NO', message: 'why' }),
      99,
    );
    await expect(manifest()).rejects.toMatchObject({
      reason,
      message: expect.stringContaining(`${status} NO why`),
    });
    expect(registry.requests.length).toBe(tries);
  });

  it('for a while is asked again, when it says or a little later each time', async () => {
    registry.instead(/./, answer(429, { 'retry-after': '7' }));
    registry.instead(/./, answer(503), 2);
    expect((await manifest()).digest).toBe(digestOf(registry.manifests.get('team/web:1')!.bytes));
    expect(clients.waits[0]).toBe(7000);
    expect(clients.waits[1]).toBeGreaterThanOrEqual(250);
    expect(clients.waits[2]).toBeGreaterThanOrEqual(500);
  });

  it.each([
    ['Wed, 21 Oct 2026 07:28:00 GMT', 'Wed, 21 Oct 2026 07:27:48 GMT', 12_000],
    ['Wed, 21 Oct 2026 09:28:00 GMT', 'Wed, 21 Oct 2026 07:28:00 GMT', 30_000],
    ['86400', 'Wed, 21 Oct 2026 07:28:00 GMT', 30_000],
  ])('until %s, where it is %s, is waited for %i ms', async (until, date, ms) => {
    registry.instead(/./, answer(429, { 'retry-after': until, date }));
    await manifest();
    expect(clients.waits).toEqual([ms]);
  });

  it.each(['soon', '-1', 'Wed, 21 Oct 2026 07:28:00 GMT'])(
    'until %j, where it is later, is asked again soon',
    async (until) => {
      const date = 'Wed, 21 Oct 2026 09:28:00 GMT';
      registry.instead(/./, answer(429, { 'retry-after': until, date }));
      await manifest();
      expect(clients.waits[0]).toBeLessThan(1000);
    },
  );
});

describe('a registry that wants to know who asks', () => {
  const basic = 'Basic YW5uOnNlY3JldA==';
  const token: Answer = (request, response) => {
    const { authorization } = request.headers;
    if (authorization !== undefined && authorization !== basic)
      return refuse(response, 401, { code: 'UNAUTHORIZED', message: 'wrong password' });
    const token = authorization === basic ? 'anns' : 'anyones';
    response.end(JSON.stringify({ token }));
  };
  const wantsToken =
    (good: string): Answer =>
    (request, response, ordinarily) => {
      if (request.headers.authorization === `Bearer ${good}`) return ordinarily();
      const realm = `http://${registry.host}/token`;
      response.setHeader('www-authenticate', `Bearer realm="${realm}",service="reg"`);
      refuse(response, 401, { code: 'UNAUTHORIZED', message: 'authentication required' });
    };
  const guard = (good: string) => {
    registry.instead(/^\/v2\//, wantsToken(good), 99);
    registry.instead(/^\/token/, token, 99);
  };

  it('gets a token for nobody in particular', async () => {
    guard('anyones');
    await manifest();
    const asked = registry.requests.map((r) => r.url);
    expect(asked[1]).toBe('/token?service=reg&scope=repository%3Ateam%2Fweb%3Apull');
  });

  it('gets a token for the user of the Secret, and is not asked for one twice', async () => {
    guard('anns');
    const pulling = client({ credentials: [user('wrong'), user('secret')] });
    await pulling.fetchManifest('1', signal());
    await pulling.fetchManifest('1', signal());
    const tokens = registry.requests.filter((r) => r.url?.startsWith('/token'));
    expect(tokens.map((r) => r.headers.authorization !== undefined)).toEqual([true, true]);
  });

  it('says no to a wrong password in its own words', async () => {
    guard('anns');
    await expect(manifest({ credentials: [user('wrong')] })).rejects.toMatchObject({
      reason: 'Unauthorized',
      message: expect.stringContaining('wrong password'),
    });
  });

  it('gets the password itself if it asks for Basic', async () => {
    const guardBasic: Answer = (request, response, ordinarily) => {
      if (request.headers.authorization === basic) return ordinarily();
      answer(401, { 'www-authenticate': 'Basic realm="r"' })(request, response, ordinarily);
    };
    registry.instead(/./, guardBasic, 99);
    await manifest({ credentials: [user('secret')] });
    expect(registry.requests.length).toBe(2);
  });

  it('gets nothing if the Secret is for another registry', async () => {
    guard('anns');
    const other = { ...user('secret'), registry: 'other.example' };
    await expect(manifest({ credentials: [other] })).rejects.toMatchObject({
      reason: 'Unauthorized',
    });
    expect(registry.requests.map((r) => r.headers.authorization)).not.toContain(basic);
  });
});

describe('a registry that redirects', () => {
  it('elsewhere is followed there, without its credentials', async () => {
    const elsewhere = await serveRegistry();
    try {
      const { bytes, mediaType } = registry.manifests.get('team/web:1')!;
      elsewhere.manifests.set('team/web:1', { bytes, mediaType });
      const wantsBasic: Answer = (request, response, ordinarily) =>
        request.headers.authorization === undefined
          ? answer(401, { 'www-authenticate': 'Basic realm="r"' })(request, response, ordinarily)
          : answer(307, { location: `http://${elsewhere.host}${request.url}` })(
              request,
              response,
              ordinarily,
            );
      registry.instead(/./, wantsBasic, 99);
      await manifest({ credentials: [user('secret')] });
      expect(elsewhere.requests.map((r) => r.headers.authorization)).toEqual([undefined]);
    } finally {
      await elsewhere.close();
    }
  });

  it('in circles is left', async () => {
    registry.instead(/./, answer(302, { location: '/v2/again' }), 99);
    await expect(manifest()).rejects.toMatchObject({ reason: 'RegistryError' });
    expect(registry.requests.length).toBe(6);
  });
});

describe('a registry that is not well', () => {
  it('and hangs is given up, in bounded time', async () => {
    registry.instead(/./, () => undefined, 99);
    await expect(manifest()).rejects.toMatchObject({
      reason: 'RegistryUnavailable',
      message: expect.stringMatching(/stays silent$/),
    });
    expect(registry.requests.length).toBe(2);
  });

  it('and isn’t there is named', async () => {
    await registry.close();
    await expect(manifest()).rejects.toMatchObject({
      reason: 'RegistryUnavailable',
      message: `registry ${registry.host}`,
      cause: { code: 'ECONNREFUSED' },
    });
  });

  it('and speaks no TLS is refused unless it is named as insecure', async () => {
    const refused = manifest({ network: { insecure: [] } });
    await expect(refused).rejects.toMatchObject({ reason: 'RegistryUnavailable' });
    expect(registry.requests.length).toBe(0);
  });

  it('and sends a manifest without end is stopped', async () => {
    const endless: Answer = (_, response) => {
      const more = () => {
        while (response.writable && response.write(Buffer.alloc(65_536)));
        if (response.writable) response.once('drain', more);
      };
      more();
    };
    registry.instead(/./, endless);
    await expect(manifest()).rejects.toMatchObject({ reason: 'TooLarge' });
  });

  it('and sends another manifest than its digest is refused', async () => {
    const { digest } = await manifest();
    const key = `team/web@${digest}`;
    const served = registry.manifests.get(key)!;
    registry.manifests.set(key, { ...served, bytes: Buffer.from('{}') });
    const lie = client().fetchManifest(digest, signal());
    await expect(lie).rejects.toMatchObject({ reason: 'DigestMismatch' });
  });
});

describe('a blob', () => {
  const blob = Buffer.from(Array.from({ length: 500_000 }, (_, i) => i % 251));
  const cutAfter =
    (bytes: number): Answer =>
    (_, response) => {
      response.writeHead(200, { 'content-length': blob.length });
      response.write(blob.subarray(0, bytes), () => response.destroy());
    };

  it('arrives whole', async () => {
    expect(await download(blob)).toEqual(blob);
  });

  it('whose connection breaks goes on where it stopped', async () => {
    registry.instead(/blobs/, cutAfter(200_000));
    expect(await download(blob)).toEqual(blob);
    expect(registry.requests.length).toBe(2);
    expect(registry.requests[1]?.headers.range).toMatch(/^bytes=[1-9]\d*-$/);
  });

  it('starts anew at a registry that can’t go on in the middle', async () => {
    registry.instead(/blobs/, cutAfter(200_000));
    registry.instead(/blobs/, (_, response) => void response.writeHead(200).end(blob));
    expect(await download(blob)).toEqual(blob);
  });

  it.each([
    ['announced shorter than it is', 200, { 'content-length': '200000' }, 0],
    ['said to go on elsewhere', 206, { 'content-range': 'bytes 7-499999/500000' }, 200_000],
  ])('that is %s arrives all the same', async (_, status, headers, from) => {
    if (from > 0) registry.instead(/blobs/, cutAfter(from));
    registry.instead(/blobs/, (_, response) => {
      response.writeHead(status, headers as Record<string, string>);
      response.end(status === 200 ? blob.subarray(0, 200_000) : blob);
    });
    expect(await download(blob)).toEqual(blob);
  });

  it('that breaks again and again arrives, as long as some of it comes each time', async () => {
    const some: Answer = (request, response) => {
      const from = Number(/\d+/.exec(request.headers.range ?? '0')?.[0]);
      const status = from === 0 ? 200 : 206;
      const range = { 'content-range': `bytes ${from}-${blob.length - 1}/${blob.length}` };
      response.writeHead(status, { ...range, 'content-length': blob.length - from });
      response.write(blob.subarray(from, from + 60_000), () => response.destroy());
    };
    registry.instead(/blobs/, some, 12);
    expect(await download(blob)).toEqual(blob);
  });

  it('that is another one than its digest, or longer, is refused and not kept', async () => {
    const descriptor = { mediaType: 'x', digest: digestOf(blob), size: blob.length };
    registry.blobs.set(descriptor.digest, Buffer.from(blob).fill(0, 10, 11));
    await expect(downloadAs(descriptor)).rejects.toMatchObject({ reason: 'DigestMismatch' });
    registry.blobs.set(descriptor.digest, Buffer.concat([blob, blob]));
    await expect(downloadAs(descriptor)).rejects.toMatchObject({ reason: 'DigestMismatch' });
    registry.blobs.set(descriptor.digest, blob);
    expect(await downloadAs(descriptor)).toEqual(blob);
  });
});

describe('a proxy on a unix socket', () => {
  let asked: string[];
  let closeProxy: () => void;
  let through: Setup;
  const serveProxy = async (answer: 'tunnel' | 'refuse' | 'hang' | 'hang up') => {
    asked = [];
    const sockets = new Set<Socket>();
    const proxy = createHttpServer().on('connect', (request, socket: Socket) => {
      asked.push(request.url ?? '');
      if (answer === 'refuse') return void socket.end('HTTP/1.1 403 No\r\n\r\n');
      if (answer === 'hang up') return void socket.destroy();
      if (answer === 'hang') return void sockets.add(socket);
      const [host = '', port] = (request.url ?? '').split(':');
      const beyond = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        socket.pipe(beyond).pipe(socket);
      });
      for (const end of [socket, beyond]) sockets.add(end.on('error', () => end.destroy()));
    });
    const unixSocket = join(directory, 'proxy.sock');
    proxy.listen(unixSocket);
    await once(proxy, 'listening');
    const mirrors = { [registry.host]: { bases: [`http://${registry.host}/v2`], rewrites: [] } };
    const registries = { ...noRegistries, mirrors };
    through = { network: { insecure: [], proxySocket: unixSocket, registries } };
    closeProxy = () => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
    };
  };
  afterEach(() => closeProxy());

  it('carries everything, and is told only where to', async () => {
    await serveProxy('tunnel');
    await manifest(through);
    expect(asked).toEqual([registry.host]);
  });

  it('carries TLS as it is: a registry that speaks none is refused', async () => {
    await serveProxy('tunnel');
    const refused = manifest({ network: { ...through.network, registries: noRegistries } });
    await expect(refused).rejects.toMatchObject({
      cause: { message: expect.stringMatching(/SSL|TLS/i) },
    });
    expect(registry.requests.length).toBe(0);
  });

  it('is given up when it hangs', async () => {
    await serveProxy('hang');
    await expect(manifest(through)).rejects.toMatchObject({
      reason: 'RegistryUnavailable',
      message: expect.stringMatching(/, or the proxy to it, .* stays silent$/),
    });
  });

  it('is given up when it hangs up', async () => {
    await serveProxy('hang up');
    await expect(manifest(through)).rejects.toMatchObject({
      reason: 'RegistryUnavailable',
      cause: { message: 'Proxy Connection failed' },
    });
  });

  it('is quoted when it refuses', async () => {
    await serveProxy('refuse');
    await expect(manifest(through)).rejects.toMatchObject({
      reason: 'RegistryUnavailable',
      cause: { message: expect.stringContaining('Proxy response (403)') },
    });
  });

  it('is passed by for registries that are named insecure', async () => {
    await serveProxy('refuse');
    await manifest({ network: { ...through.network, insecure: [registry.host] } });
    expect(asked).toEqual([]);
  });
});
