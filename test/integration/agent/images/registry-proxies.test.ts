import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { readAgentConfig } from '../../../../agent/config.ts';
import { parseRegistries } from '../../../../agent/images/read-registries.ts';
import type { RegistryNetwork } from '../../../../agent/images/registry-transport.ts';
import { type Issued, makeAuthority } from '../../../support/certificates.ts';
import { serveRegistry, type TestRegistry } from '../../../support/registry.ts';
import { registryClients } from '../../../support/registry-clients.ts';

const clients = registryClients();
let directory: string;
let caFile: string;
let serving: Issued;
let registry: TestRegistry;
let proxy: Server;
let proxyUrl: string;
/** What the proxy was asked for, and by whom. */
let asked: string[];
const sockets = new Set<Socket>();
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'orc-proxies-'));
  const authority = await makeAuthority(directory);
  caFile = authority.certFile;
  serving = await authority.issue('localhost', ['127.0.0.1', '::1']);
});
beforeEach(async () => {
  asked = [];
  proxy = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers['proxy-authorization']}`);
    const { host, pathname, search } = new URL(request.url ?? '');
    const { method, headers } = request;
    const onward = httpRequest(`http://${host}${pathname}${search}`, { method, headers });
    onward.on('response', (answer) =>
      answer.pipe(response.writeHead(answer.statusCode ?? 0, answer.headers)),
    );
    request.pipe(onward);
  }).on('connect', (request, inside: Socket) => {
    asked.push(`CONNECT ${request.url} ${request.headers['proxy-authorization']}`);
    const [, host = '', port] = /^\[?(.*?)\]?:(\d+)$/.exec(request.url ?? '') ?? [];
    const outside = connect(Number(port), host, () => {
      inside.write('HTTP/1.1 200 Connection established\r\n\r\n');
      inside.pipe(outside).pipe(inside);
    });
    for (const end of [inside, outside]) sockets.add(end.on('error', () => end.destroy()));
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  proxyUrl = `http://ann:pw@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await clients.close();
  await registry.close();
  for (const socket of sockets) socket.destroy();
  proxy.close();
});
afterAll(() => rmSync(directory, { recursive: true }));

async function pull(
  network: Partial<RegistryNetwork>,
  served: Parameters<typeof serveRegistry>[0] = {},
) {
  registry = await serveRegistry(served);
  registry.put('web:1', { layers: [] });
  const configs = { [registry.host]: { tls: { ca_file: caFile } } };
  const registries = parseRegistries('r.yaml', JSON.stringify({ configs }));
  const insecure = served.tls === undefined ? [registry.host] : [];
  const client = clients.client(`${registry.host}/web:1`, {
    network: { insecure, registries, ...network },
  });
  await client.fetchManifest('1', AbortSignal.timeout(5000));
}
const proxies = (more: object = {}) => ({ http: '', https: '', not: '', ...more });
const ann = 'Basic YW5uOnB3';

it.each(['127.0.0.1', '::1'])(
  'a proxy carries TLS to %s without seeing into it',
  async (address) => {
    await pull({ proxies: proxies({ https: proxyUrl }) }, { address, tls: serving });
    expect(asked).toEqual([`CONNECT ${registry.host} ${ann}`]);
  },
);

it('a proxy is asked for what goes without TLS itself', async () => {
  await pull({ proxies: proxies({ http: proxyUrl }) });
  expect(asked).toEqual([`GET http://${registry.host}/v2/web/manifests/1 ${ann}`]);
});

it.each(['127.0.0.1', 'other.example, 127.0.0.1', '*'])(
  'no proxy is used for NO_PROXY=%s',
  async (not) => {
    await pull({ proxies: proxies({ https: proxyUrl, http: proxyUrl, not }) }, { tls: serving });
    expect(asked).toEqual([]);
  },
);

it('the socket of `orc dev` goes before the proxies of the environment, to IPv6 too', async () => {
  await pull(
    { proxies: proxies({ https: 'http://127.0.0.1:1' }), proxySocket: await socketOf(proxy) },
    { address: '::1', tls: serving },
  );
  expect(asked).toEqual([`CONNECT ${registry.host} undefined`]);
});

async function socketOf(server: Server): Promise<string> {
  const path = join(directory, 'proxy.sock');
  const relay = createServer();
  for (const event of ['request', 'connect'])
    relay.on(event, (...args: unknown[]) => server.emit(event, ...args));
  relay.listen(path);
  await once(relay, 'listening');
  server.once('close', () => relay.close());
  return path;
}

it.each([
  [{}, proxies()],
  [{ HTTPS_PROXY: 'http://p:1', NO_PROXY: 'a,b' }, proxies({ https: 'http://p:1', not: 'a,b' })],
  [{ https_proxy: 'p:1', HTTPS_PROXY: 'q:1' }, proxies({ https: 'http://p:1' })],
  [{ HTTP_PROXY: 'p' }, proxies({ http: 'http://p' })],
])('the environment %j gives %j', (env, expected) => {
  const before = process.env;
  try {
    process.env = { ...env };
    const config = readAgentConfig(['--address', '10.0.0.1', '--controller', 'c:6444']);
    expect(config.proxies).toEqual(expected);
  } finally {
    process.env = before;
  }
});
