import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { lockDirectory } from '../../../base/lock-directory.ts';
import { systemRng } from '../../../base/rng.ts';
import { openCa } from '../../../controller/auth/ca.ts';
import { formatKubeconfig } from '../../../controller/auth/kubeconfig.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { orc } from '../../support/orc-cli.ts';
import { openTlsWorld, type TlsWorld } from '../../support/tls-world.ts';

let world: TlsWorld;
beforeAll(async () => {
  world = await openTlsWorld();
});
afterAll(() => world.close());

const dayMs = 24 * 60 * 60 * 1000;
const caAt = (now: number) =>
  openCa({ dir: join(world.dir, 'pki'), clock: fakeClock(now), rng: systemRng() });

/** What `orc get pods` says with a kubeconfig of this text. */
async function saidWith(text: string): Promise<string> {
  const kubeconfig = join(world.dir, 'other');
  await writeFile(kubeconfig, text);
  const { err } = await orc(['get', 'pods'], { kubeconfig });
  return err.replaceAll(kubeconfig, 'FILE');
}

describe('a kubeconfig', () => {
  const client = async (now = Date.now()) =>
    (await caAt(now)).issue({ use: 'client', name: 'admin', groups: ['system:masters'] });
  const good = () => readFile(world.kubeconfig, 'utf8');

  it.each([
    [
      'ftp://x',
      'orc: FILE: the cluster\'s server must be like https://10.0.0.1:6443, not "ftp://x"\n',
    ],
    [
      'nothing',
      'orc: FILE: the cluster\'s server must be like https://10.0.0.1:6443, not "nothing"\n',
    ],
  ])('whose server is %s is told what one looks like', async (server, said) => {
    expect(await saidWith((await good()).replace(/server: .*/, `server: ${server}`))).toBe(said);
  });

  it('that is no YAML is told where, on one line', async () => {
    expect(await saidWith('a: 1\nb: [\n')).toMatch(/^orc: FILE is not valid YAML: FILE:3:1 .*\n$/);
  });

  it('with the key of another certificate is told so', async () => {
    const key = Buffer.from((await client()).key).toString('base64');
    const text = (await good()).replace(/client-key-data: .*/, `client-key-data: ${key}`);
    expect(await saidWith(text)).toMatch(/^orc: FILE: its certificates and key don't fit: /);
  });

  it.each([
    [-200, 'orc: Unauthorized: the client certificate has expired\n'],
    [+10, 'orc: Unauthorized: the client certificate is not valid yet: compare the clocks\n'],
  ])('of %i days from now is told what is wrong with it', async (days, said) => {
    const { certificate: ca } = await caAt(Date.now());
    const server = `https://127.0.0.1:${world.port}`;
    const shifted = await client(Date.now() + days * dayMs);
    expect(await saidWith(formatKubeconfig({ server, ca, client: shifted }))).toBe(said);
  });
});

describe('a server that is no controller', () => {
  let server: Server | undefined;
  afterEach(() => void server?.close());

  it.each([
    [200, '<html>hi</html>', /is no controller: it answered "<html>hi<\/html>"\n$/],
    [200, 'null', /is no controller: it answered "null"\n$/],
    [502, '<html>bad</html>', /^orc: the server answered 502: <html>bad<\/html>\n$/],
    [404, 'null', /^orc: the server answered 404: null\n$/],
  ])('is quoted: %i %s', async (code, body, said) => {
    const { key, certificate: cert } = await (await caAt(Date.now())).issue({
      ...{ use: 'server', name: 'orc', hosts: ['127.0.0.1'] },
    });
    server = createServer({ key, cert }, (_, response) => response.writeHead(code).end(body));
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const text = await readFile(world.kubeconfig, 'utf8');
    expect(await saidWith(text.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${port}`))).toMatch(said);
  });
});

it('a manifest that isn’t UTF-8, or whose name isn’t text, is refused as it is', async () => {
  const run = async (bytes: Buffer) => {
    await writeFile(join(world.dir, 'a.yaml'), bytes);
    const args = ['apply', '-f', join(world.dir, 'a.yaml')];
    return (await orc(args, { kubeconfig: world.kubeconfig })).err;
  };
  const head = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ';
  expect(await run(Buffer.concat([Buffer.from(head), Buffer.of(0xff, 0x7d)]))).toMatch(/utf-8/);
  expect(await run(Buffer.from(`${head}12}`))).toMatch(/:3:18 .*name: must be a string, not 12\n/);
});

it('a role takes no word that belongs to no flag, and no directory of another role', async () => {
  const { code, err } = await orc(['controller', '--log-level', 'error', 'extra']);
  expect({ code, err }).toEqual({
    code: 2,
    err: 'orc controller: "extra" belongs to no flag; --help shows what there is\n',
  });
  await writeFile(join(world.dir, 'ledger'), '');
  await expect(lockDirectory(world.dir, 'ledger')).rejects.toThrow('there is ledger in it');
  (await lockDirectory(world.dir, 'store.key'))[Symbol.dispose]();
});

it('a body that is somewhat too large is heard out and answered', async () => {
  const data = { a: 'x'.repeat(3_500_000) };
  const path = join(world.dir, 'large.json');
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'large' }, data };
  await writeFile(path, JSON.stringify(object));
  const { err } = await orc(['apply', '-f', path], { kubeconfig: world.kubeconfig });
  expect(err).toMatch(/Request entity too large: limit is 3145728/);
});
