import { type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, type RequestOptions, request } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../../../base/clock.ts';
import { systemRng } from '../../../../base/rng.ts';
import { type RunningApiServer, serveApi } from '../../../../controller/apiserver/api-server.ts';
import { authenticate } from '../../../../controller/auth/authenticate.ts';
import { type CertificateAuthority, openCa } from '../../../../controller/auth/ca.ts';
import { type ApiWorld, openApiWorld } from '../../../support/api-server.ts';

let dir: string;
let ca: CertificateAuthority;
let world: ApiWorld;
let api: RunningApiServer;
let socketPath: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'orc-listen-'));
  ca = await openCa({ dir: join(dir, 'pki'), clock: systemClock(), rng: systemRng() });
  world = await openApiWorld({ authenticate: ({ socket }) => authenticate(socket as TLSSocket) });
  socketPath = join(dir, 'api.sock');
  const listeners = [{ host: '127.0.0.1', port: 0 }, { path: socketPath }];
  api = await serveApi(world.deps, { tls: await serverTls('first'), listeners });
});

afterAll(async () => {
  await api.close();
  await world.close();
  await rm(dir, { recursive: true, force: true });
});

async function serverTls(name: string) {
  const { key, certificate } = await ca.issue({ use: 'server', name, hosts: ['127.0.0.1'] });
  return { key, cert: certificate, ca: ca.certificate };
}

async function adminTls() {
  const pair = await ca.issue({ use: 'client', name: 'admin', groups: ['system:masters'] });
  return { key: pair.key, cert: pair.certificate, ca: ca.certificate, servername: 'localhost' };
}

function get(options: RequestOptions): Promise<{ code: number | undefined; server: string }> {
  return new Promise((resolve, reject) => {
    const call = request(
      { path: '/api/v1/pods', checkServerIdentity: () => undefined, ...options },
      (response) => {
        const { subject } = (response.socket as TLSSocket).getPeerCertificate();
        response.resume();
        response.on('end', () =>
          resolve({ code: response.statusCode, server: String(subject?.CN) }),
        );
      },
    );
    call.on('error', reject);
    call.end();
  });
}

it('answers on a port and on a unix socket, with TLS on both', async () => {
  const tls = await adminTls();
  const [port] = api.ports;
  for (const address of [{ port }, { socketPath }])
    expect(await get({ ...tls, ...address })).toEqual({ code: 200, server: 'first' });
});

it('answers on a listening socket that it inherited', async () => {
  const listening = createServer().listen(0, '127.0.0.1');
  await once(listening, 'listening');
  const { port } = listening.address() as AddressInfo;
  const { fd } = (listening as Server & { readonly _handle: { readonly fd: number } })._handle;
  const script = join(import.meta.dirname, '../../../support/api-child.ts');
  const stdio: StdioOptions = ['ignore', 'pipe', 'inherit', fd];
  const child = spawn(process.execPath, [script, join(dir, 'pki')], { stdio });
  try {
    await once(child.stdout!, 'data');
    listening.close();
    expect(await get({ ...(await adminTls()), port })).toEqual({ code: 200, server: 'child' });
  } finally {
    child.kill();
  }
});

it('knows the client again when its TLS session is resumed', async () => {
  const agent = new Agent({ keepAlive: false, maxCachedSessions: 10 });
  const options = { ...(await adminTls()), port: api.ports[0], agent };
  for (let round = 0; round < 3; round++) expect(await get(options)).toMatchObject({ code: 200 });
  agent.destroy();
});

it('refuses certificates of other authorities', async () => {
  const foreign = await openCa({ dir: join(dir, 'other'), clock: systemClock(), rng: systemRng() });
  const pair = await foreign.issue({ use: 'client', name: 'admin', groups: ['system:masters'] });
  const options = { key: pair.key, cert: pair.certificate, ca: ca.certificate };
  expect(await get({ ...options, port: api.ports[0] })).toMatchObject({ code: 401 });
});

it('takes new certificates without a restart', async () => {
  api.setTls(await serverTls('second'));
  const fresh = { ...(await adminTls()), port: api.ports[0], agent: new Agent() };
  expect(await get(fresh)).toEqual({ code: 200, server: 'second' });
});
