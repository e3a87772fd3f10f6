import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { request as ask, createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { KubeConfig } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { EndpointSlice } from '../../../../api/endpoint-slice.ts';
import type { Kind } from '../../../../api/kind.ts';
import { Pod } from '../../../../api/pod.ts';
import { parseObject } from '../../../../api/prepare.ts';
import { ClusterRole } from '../../../../api/role.ts';
import { ClusterRoleBinding } from '../../../../api/role-binding.ts';
import { Service } from '../../../../api/service.ts';
import { systemClock } from '../../../../base/clock.ts';
import { systemRng } from '../../../../base/rng.ts';
import { openCa } from '../../../../controller/auth/ca.ts';
import { findKubectls, runKubectl, startKubectl } from '../../../support/kubectl.ts';
import { localPodAccess } from '../../../support/local-pod-access.ts';
import { openTlsWorld, type TlsWorld } from '../../../support/tls-world.ts';
import { waitFor } from '../../../support/wait-for.ts';

/** The pod's ports are this machine's: see localPodAccess. */
let world: TlsWorld;
const servers: Server[] = [];
let [web, secure, closed] = [0, 0, 0];
let credentials: { ca: string; cert: string; key: string };
const asked: IncomingMessage[] = [];
let hangUps = 0;

const answers: RequestListener = (request, response) => {
  asked.push(request);
  response.on('close', () => response.writableFinished || hangUps++);
  const { pathname } = new URL(request.url ?? '', 'http://pod');
  if (pathname === '/echo') return void request.pipe(response);
  if (pathname === '/drip') return void response.write('a drop');
  const headers = { 'set-cookie': ['a=1', 'b=2'], 'access-control-allow-origin': '*' };
  if (pathname === '/away') response.writeHead(302, { location: 'http://elsewhere/x' });
  if (pathname === '/login') response.writeHead(302, { location: '/inside/?next=1' });
  if (pathname === '/absolute')
    response.writeHead(302, { location: `https://${request.headers.host}/inside` });
  if (pathname === '/missing') response.writeHead(404, 'Gone Fishing', headers);
  const page = `${request.method} ${request.url}`;
  if (!response.headersSent) response.setHeader('content-length', page.length);
  response.end(page);
};

beforeAll(async () => {
  world = await openTlsWorld({ podAccess: localPodAccess() });
  const ca = await openCa({ dir: join(world.dir, 'pod'), clock: systemClock(), rng: systemRng() });
  const own = await ca.issue({ use: 'server', name: 'pod', hosts: ['127.0.0.1'] });
  const plain = createServer(answers);
  const sockets = new WebSocketServer({ server: plain, path: '/socket' });
  sockets.on('connection', (client) => client.on('message', (heard) => client.send(heard)));
  web = await listen(plain);
  secure = await listen(createTlsServer({ key: own.key, cert: own.certificate }, answers));
  closed = await listen(createServer());
  servers.pop()?.close();
  await addObjects();
  const config = new KubeConfig();
  config.loadFromFile(world.kubeconfig);
  const [cluster, user] = [config.getCurrentCluster(), config.getCurrentUser()];
  const plainText = (data: string | undefined) => Buffer.from(data ?? '', 'base64').toString();
  credentials = {
    ca: plainText(cluster?.caData),
    cert: plainText(user?.certData),
    key: plainText(user?.keyData),
  };
});

afterAll(async () => {
  for (const server of servers) server.close();
  await world.close();
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

async function create(kind: Kind, json: object): Promise<void> {
  const parsed = parseObject(kind, json);
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  await world.objects.create(kind, parsed.object);
}

async function addObjects(): Promise<void> {
  const ports = [
    { containerPort: web, name: 'http' },
    { containerPort: secure, name: 'https' },
  ];
  const metadata = (name: string, labels = {}) => ({ name, namespace: 'default', labels });
  await create(Pod, {
    metadata: metadata('web'),
    spec: { nodeName: 'n1', containers: [{ name: 'web', image: 'web:1', ports }] },
    status: { phase: 'Running' },
  });
  for (const name of ['web', 'nobody'])
    await create(Service, {
      metadata: metadata(name),
      spec: {
        ports: [
          { name: 'main', port: 80, targetPort: 'http' },
          { name: 'tls', port: 443 },
        ],
      },
    });
  await create(EndpointSlice, {
    metadata: metadata('web-1', { 'kubernetes.io/service-name': 'web' }),
    addressType: 'IPv4',
    ports: [
      { name: 'main', port: web },
      { name: 'tls', port: secure },
    ],
    endpoints: [
      { addresses: ['10.0.0.1'], targetRef: { kind: 'Pod', name: 'web' } },
      {
        addresses: ['10.0.0.2'],
        targetRef: { kind: 'Pod', name: 'sick' },
        conditions: { ready: false },
      },
    ],
  });
  await world.cache.reached(await world.deps.currentRevision());
}

const base = '/api/v1/namespaces/default';

interface Wanted {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Readable | string;
}

async function open(path: string, { method = 'GET', headers = {}, body = '' }: Wanted = {}) {
  const request = ask({
    ...{ host: '127.0.0.1', port: world.port, path, method, headers, ...credentials },
  });
  if (typeof body === 'string') request.end(body);
  else body.pipe(request);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return { request, response };
}

async function call(path: string, wanted: Wanted = {}) {
  const { response } = await open(path, wanted);
  const { statusCode: code, headers, statusMessage } = response;
  return { code, headers, statusMessage, body: await text(response) };
}

describe('pods/proxy', () => {
  const at = `${base}/pods/web/proxy`;

  it.each(['GET', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS'])('passes %s on', async (method) => {
    const { body, code } = await call(`${at}/a%2Fb/../c?x=1&y=%20`, { method });
    expect({ code, body }).toEqual({ code: 200, body: `${method} /a%2Fb/../c?x=1&y=%20` });
  });

  it('passes HEAD on, and answers as the pod has chosen', async () => {
    const head = await call(`${at}/`, { method: 'HEAD' });
    expect(head).toMatchObject({ code: 200, body: '', headers: { 'content-length': '6' } });
    const missing = await call(`${at}/missing`);
    expect(missing).toMatchObject({
      code: 404,
      statusMessage: 'Gone Fishing',
      body: 'GET /missing',
    });
    expect(missing.headers).toMatchObject({ 'set-cookie': ['a=1', 'b=2'] });
    expect(missing.headers['access-control-allow-origin']).toBeUndefined();
  });

  it('tells the pod who it is to the world, and nothing of who asks', async () => {
    const headers = {
      ...{ authorization: 'Bearer secret', 'impersonate-user': 'root' },
      'impersonate-group': 'system:masters',
      ...{
        'x-own': 'kept',
        connection: 'x-between',
        'x-between': 'dropped',
        host: `127.0.0.1:${world.port}`,
      },
    };
    await call(`${at}/words?q`, { headers });
    const seen = asked.at(-1)?.headers;
    expect(seen).toEqual({
      ...{ 'x-own': 'kept', host: headers.host, connection: 'close' },
      'x-forwarded-uri': `${at}/words`,
      'x-forwarded-host': headers.host,
      'x-forwarded-proto': 'https',
    });
  });

  it.each([
    ['pods/web', () => ''],
    ['pods/http:web:', () => ''],
    ['pods/web:http', () => ''],
    ['pods/web', () => `:${web}`],
    ['pods/https:web', () => `:${secure}`],
    ['pods/https:web:https', () => ''],
    ['pods/http%3Aweb%3Ahttp', () => ''],
    ['services/web:main', () => ''],
    ['services/web:80', () => ''],
    ['services/https:web:tls', () => ''],
  ])('finds %s', async (name, port) => {
    expect(await call(`${base}/${name}${port()}/proxy/`)).toMatchObject({
      code: 200,
      body: 'GET /',
    });
  });

  it.each([
    ['pods/none', 404, 'pods "none" not found'],
    ['pods/a:b:c:d', 400, 'invalid pod request "a:b:c:d"'],
    ['pods/ftp:web:1', 400, 'invalid pod request "ftp:web:1"'],
    ['pods/web:metrics', 400, 'pod "web" has no port "metrics"'],
    ['services/none', 404, 'services "none" not found'],
    ['services/web:81', 503, 'no service port 81 found for service "web"'],
    ['services/nobody:80', 503, 'no endpoints available for service "nobody"'],
  ])('says what is wrong with %s', async (name, code, message) => {
    const answer = await call(`${base}/${name}/proxy/`);
    expect({ ...answer, body: JSON.parse(answer.body) }).toMatchObject({ code, body: { message } });
  });

  it('says that nothing listens', async () => {
    const { code, body } = await call(`${base}/pods/web:${closed}/proxy/`);
    expect(code).toBe(503);
    expect(JSON.parse(body).message).toMatch(/^error trying to reach service: .*nothing listens/);
  });

  it('leads redirects back through itself, and pages to where their links are right', async () => {
    expect((await call(at)).headers.location).toBe(`${at}/`);
    expect(await call(`${at}?a=b`)).toMatchObject({
      code: 301,
      headers: { location: `${at}/?a=b` },
    });
    expect((await call(`${at}/login`)).headers.location).toBe(`${at}/inside/?next=1`);
    expect((await call(`${at}/absolute`)).headers.location).toBe(`${at}/inside`);
    expect((await call(`${at}/away`)).headers.location).toBe('http://elsewhere/x');
  });

  it('carries 50 MB through, as they come', async () => {
    const sent = createHash('sha256');
    const got = createHash('sha256');
    const body = Readable.from(
      (function* () {
        for (let i = 0; i < 800; i++) {
          const chunk = Buffer.alloc(65_536, `piece ${i} `);
          sent.update(chunk);
          yield chunk;
        }
      })(),
    );
    const { response } = await open(`${at}/echo`, { method: 'POST', body });
    for await (const chunk of response) got.update(chunk as Buffer);
    expect(got.digest('hex')).toBe(sent.digest('hex'));
  });

  it('lets go of the pod when the client goes', async () => {
    const { request, response } = await open(`${at}/drip`);
    const [first] = await once(response, 'data');
    expect(String(first)).toBe('a drop');
    const before = hangUps;
    request.destroy();
    await waitFor('the end in the pod', () => hangUps > before);
  });

  it('takes many requests on one connection', async () => {
    const warnings: Error[] = [];
    const warned = (warning: Error) => void warnings.push(warning);
    process.on('warning', warned);
    const all = Array.from({ length: 60 }, (_, i) => call(`${at}/${i}`));
    const bodies = (await Promise.all(all)).map(({ body }) => body);
    expect(bodies).toEqual(bodies.map((_, i) => `GET /${i}`));
    process.off('warning', warned);
    expect(warnings).toEqual([]);
  });

  it('speaks WebSocket, if the pod does', async () => {
    const url = `wss://127.0.0.1:${world.port}${at}/socket`;
    const client = new WebSocket(url, { ...credentials });
    await once(client, 'open');
    client.send('hello');
    const [message] = await once(client, 'message');
    expect(String(message)).toBe('hello');
    client.close();
    await once(client, 'close');
    const refused = new WebSocket(url.replace('socket', 'missing'), { ...credentials });
    const [, response] = (await once(refused, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(response).toMatchObject({ statusCode: 400, headers: { connection: 'close' } });
    await once(response.resume(), 'end');
  });

  it('is as little for who may only get where he asks for another protocol', async () => {
    const rule = { apiGroups: [''], resources: ['pods/proxy', 'nodes/proxy'], verbs: ['get'] };
    await create(ClusterRole, { metadata: { name: 'reader' }, rules: [rule] });
    await create(ClusterRoleBinding, {
      ...{ metadata: { name: 'reader' }, roleRef: { kind: 'ClusterRole', name: 'reader' } },
      subjects: [{ kind: 'User', name: 'reader' }],
    });
    await world.cache.reached(await world.deps.currentRevision());
    const headers = { connection: 'Upgrade', upgrade: 'thing', 'impersonate-user': 'reader' };
    const before = asked.length;
    const deleted = await call(`${at}/page`, { method: 'DELETE', headers });
    expect(JSON.parse(deleted.body)).toMatchObject({ reason: 'Forbidden' });
    expect(asked.length).toBe(before);
    // The pod says so itself.
    expect(await call(`${at}/page`, { headers })).toMatchObject({ body: 'Invalid Upgrade header' });
    const node = await call('/api/v1/nodes/n1/proxy/metrics', { headers });
    expect(JSON.parse(node.body)).toMatchObject({
      ...{ reason: 'BadRequest', message: 'of a node there are only plain answers' },
    });
    const exec = await call(`${base}/pods/web/exec?command=ls`, { method: 'PUT', headers });
    expect(JSON.parse(exec.body)).toMatchObject({ reason: 'MethodNotAllowed' });
    const odd = await call(`${base}/pods/%ff/exec?command=ls`, { headers });
    expect(JSON.parse(odd.body)).toMatchObject({ reason: 'BadRequest' });
  });

  it('is not for everybody', async () => {
    for (const path of [`${base}/pods/web/proxy/`, '/api/v1/nodes/n1/proxy/metrics']) {
      const response = await fetchAs('eve', path);
      expect(response).toMatchObject({
        reason: 'Forbidden',
        message: expect.stringContaining('/proxy"'),
      });
    }
  });
});

async function fetchAs(name: string, path: string): Promise<unknown> {
  const other = await openTlsWorld({ authenticate: () => ({ name, groups: [] }) });
  try {
    const options = { host: '127.0.0.1', port: other.port, path, rejectUnauthorized: false };
    const [response] = (await once(ask(options).end(), 'response')) as [IncomingMessage];
    return JSON.parse(await text(response));
  } finally {
    await other.close();
  }
}

const kubectls = findKubectls();
describe.each([...kubectls.slice(0, 1), ...kubectls.slice(-1)])('kubectl $version', (kubectl) => {
  const options = () => ({
    kubeconfig: world.kubeconfig,
    cacheDir: join(world.dir, kubectl.version),
  });

  it('gets what is behind a proxy', async () => {
    const raw = (path: string) => runKubectl(kubectl, ['get', '--raw', path], options());
    const path = `${base}/services/web:main/proxy/page`;
    expect(await raw(path)).toMatchObject({ code: 0, out: 'GET /page' });
  });

  it('is a proxy to it for browsers', async () => {
    const running = startKubectl(kubectl, ['proxy', '--port', '0'], options());
    const said = () => /127\.0\.0\.1:\d+/.exec(running.out())?.[0];
    const address = await waitFor('kubectl proxy', said);
    const page = await fetch(`http://${address}${base}/pods/web/proxy/login`, {
      redirect: 'manual',
    });
    expect(page.headers.get('location')).toBe(`${base}/pods/web/proxy/inside/?next=1`);
    running.stop();
    await running.ended;
  });
});
