import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { waitFor } from '../../support/wait-for.ts';

const executable = new URL('../../../orc.ts', import.meta.url).pathname;
const deadlineMs = 20_000;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'orc-controller-'));
});
afterEach(() => rm(directory, { recursive: true }));

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a controller until it has ended; `onReady` gets a way to end it. */
async function runController(
  { port, flags = [] }: { readonly port: number; readonly flags?: readonly string[] },
  onReady?: (stop: () => void) => unknown,
): Promise<Ended> {
  const address = ['--api-address', `127.0.0.1:${port}`, '--agent-address', '127.0.0.1:0'];
  const args = [executable, 'controller', '--data-dir', directory, '--log-level', 'error'];
  const child = spawn(process.execPath, [...args, ...address, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: deadlineMs,
    killSignal: 'SIGKILL',
  });
  let output = '';
  child.stderr.on('data', (chunk) => (output += chunk));
  child.stdout.on('data', (chunk) => {
    output += chunk;
    if (output.includes('ready')) void onReady?.(() => child.kill('SIGTERM'));
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

describe('the controller', { timeout: 3 * deadlineMs }, () => {
  it('ends when it cannot start, so that whoever watches it can start it again', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { code, output } = await runController({ port: (other.address() as AddressInfo).port });
    other.close();
    expect(output).toMatch(/--api-address 127\.0\.0\.1:\d+: listen EADDRINUSE/);
    expect(code).toBe(1);
  });

  it('stops on SIGTERM; without the key of its Secrets or its authority it does not start again', async () => {
    expect(await runController({ port: 0 }, (stop) => stop())).toMatchObject({ code: 0 });
    for (const file of ['store.key', 'pki/ca.key', 'store.db']) {
      await rename(join(directory, file), join(directory, 'lost'));
      const { code, output } = await runController({ port: 0 });
      expect(output).toMatch(/put it back|put the store back/);
      expect(code).toBe(1);
      await rename(join(directory, 'lost'), join(directory, file));
    }
    for (const file of ['store.key', 'pki/ca.crt']) {
      const path = join(directory, file);
      const good = await readFile(path);
      await writeFile(path, 'rubbish');
      const { code, output } = await runController({ port: 0 });
      expect(output).toMatch(/ is damaged: restore .* from a backup/);
      expect(code).toBe(1);
      await writeFile(path, good);
    }
  });

  it('makes anew what it can make: certificates, and that of the authority with the key that there is', async () => {
    expect(await runController({ port: 0 }, (stop) => stop())).toMatchObject({ code: 0 });
    const key = await readFile(join(directory, 'pki/ca.key'), 'utf8');
    await rm(join(directory, 'pki/ca.crt'));
    await writeFile(join(directory, 'pki/server.crt'), '');
    await writeFile(join(directory, 'pki/admin.key'), 'rubbish');
    expect(await runController({ port: 0 }, (stop) => stop())).toMatchObject({ code: 0 });
    expect(await readFile(join(directory, 'pki/ca.key'), 'utf8')).toBe(key);
  });

  it('shares its directory with no other', async () => {
    const other = Promise.withResolvers<Ended>();
    const first = runController({ port: 0 }, async (stop) => {
      other.resolve(await runController({ port: 0 }));
      stop();
    });
    expect(await other.promise).toEqual({
      code: 1,
      output: expect.stringContaining(
        `--data-dir ${directory}: another process of orc uses this directory`,
      ),
    });
    expect(await first).toMatchObject({ code: 0 });
  });

  it('ends every watch, and is gone within five seconds', async () => {
    const socketPath = join(directory, 'api.sock');
    let ended: Promise<readonly string[]> = Promise.resolve([]);
    let startedAt = 0;
    const flags = ['--api-socket', socketPath];
    const { code } = await runController({ port: 0, flags }, async (stop) => {
      const tls = await adminCredentials(join(directory, 'admin.kubeconfig'));
      const watches = Array.from({ length: 100 }, () => openWatch({ ...tls, socketPath }));
      const responses = await Promise.all(watches);
      ended = Promise.all(responses.map((response) => text(response)));
      startedAt = performance.now();
      stop();
    });
    expect(code).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(5000);
    // `text` rejects when a response breaks off instead of ending.
    expect((await ended).length).toBe(100);
  });

  it.each([
    ['{"use":"nobody"}', 400, { message: 'use must be node or controller' }],
    ['{"ttlSeconds":0}', 400, { message: 'ttlSeconds must be a whole number from 1 to 604800' }],
    ['{"use":"controller","ttlSeconds":60}', 201, { token: expect.any(String) }],
  ])('is asked for a join token with %s', async (wish, code, body) => {
    const socketPath = join(directory, 'api.sock');
    let answer: Answer | undefined;
    await runController({ port: 0, flags: ['--api-socket', socketPath] }, async (stop) => {
      const admin = await adminCredentials(join(directory, 'admin.kubeconfig'));
      answer = await ask({ ...admin, socketPath }, '/orc/v1/tokens', wish);
      stop();
    });
    expect(answer).toMatchObject({ code, body });
  });

  it('takes the tokens of ServiceAccounts that it made before it was started again', async () => {
    const socketPath = join(directory, 'api.sock');
    const flags = ['--api-socket', socketPath];
    const accounts = '/api/v1/namespaces/default/serviceaccounts';
    let answers: readonly Answer[] = [];
    let token = '';
    await runController({ port: 0, flags }, async (stop) => {
      const admin = {
        ...(await adminCredentials(join(directory, 'admin.kubeconfig'))),
        socketPath,
      };
      const made = [
        `${accounts}/default`,
        '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/system:discovery',
      ];
      for (const path of made)
        await waitFor(path, async () => (await ask(admin, path)).code === 200);
      ({ token } = (await ask(admin, `${accounts}/default/token`, '{"spec":{}}')).body.status);
      const headers = { 'impersonate-user': 'jane' };
      answers = [
        await ask({ ...admin, headers }, '/orc/v1/tokens', '{}'),
        await ask({ ...admin, headers }, '/api/v1/pods'),
        await ask({ ...admin, headers }, '/apis'),
      ];
      stop();
    });
    expect(answers.map(({ code }) => code)).toEqual([400, 403, 200]);
    await runController({ port: 0, flags }, async (stop) => {
      const { ca, servername } = await adminCredentials(join(directory, 'admin.kubeconfig'));
      const headers = { authorization: `Bearer ${token}` };
      const self = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
      const bearer = { ca, servername, socketPath, headers };
      answers = [await ask(bearer, self, '{}'), await ask(bearer, '/orc/v1/backup')];
      stop();
    });
    const userInfo = { username: 'system:serviceaccount:default:default' };
    expect(answers).toMatchObject([{ code: 201, body: { status: { userInfo } } }, { code: 401 }]);
  });
});

type Answer = { readonly code: number | undefined; readonly body: ReturnType<typeof JSON.parse> };

type Credentials = Omit<RequestOptions, 'headers'> & {
  readonly headers?: Readonly<Record<string, string>>;
};

async function ask(options: Credentials, path: string, body?: string): Promise<Answer> {
  const method = body === undefined ? 'GET' : 'POST';
  const headers = { ...options.headers, 'content-type': 'application/json' };
  const sent = request({ ...options, path, method, headers, agent: false }).end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { code: response.statusCode, body: JSON.parse(await text(response)) };
}

/** For a socket by its path, with the address that the certificate is for. */
async function adminCredentials(kubeconfig: string) {
  const config = parse(await readFile(kubeconfig, 'utf8'));
  const bytes = (base64: string) => Buffer.from(base64, 'base64');
  return {
    ca: bytes(config.clusters[0].cluster['certificate-authority-data']),
    cert: bytes(config.users[0].user['client-certificate-data']),
    key: bytes(config.users[0].user['client-key-data']),
    servername: 'localhost',
  };
}

async function openWatch(options: RequestOptions & { socketPath: string }) {
  const sent = request({ ...options, path: '/api/v1/pods?watch=true', agent: false }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}
