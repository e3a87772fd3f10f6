import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../../base/clock.ts';
import { silentLog } from '../../../../base/log.ts';
import { systemRng } from '../../../../base/rng.ts';
import { openCa } from '../../../../controller/auth/ca.ts';
import { type EtcdConfig, loadEtcdAccess } from '../../../../controller/etcd-access.ts';
import { openEtcdStore } from '../../../../controller/store/etcd-store.ts';
import { ensurePackages } from '../../../../dev/images/packages.ts';
import { cacheDirectory } from '../../../support/debian-image.ts';
import { startEtcd, type TestEtcd } from '../../../support/etcd.ts';
import { runProgram } from '../../../support/run-program.ts';

const clock = systemClock();
let dir: string;
let etcd: TestEtcd | undefined;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'orc-etcd-access-'));
});
afterEach(async () => {
  await etcd?.stop();
  etcd = undefined;
});
afterAll(() => rm(dir, { recursive: true }));

const open = async (config: Partial<EtcdConfig>) => {
  const tls = { etcdCa: undefined, etcdCert: undefined, etcdKey: undefined };
  const user = { etcdUser: undefined, etcdPasswordFile: undefined };
  const none = { ...tls, ...user, etcdTimeout: undefined, urls: [] };
  const access = await loadEtcdAccess({ ...none, ...config });
  return openEtcdStore({ ...access, clock, rng: systemRng(), log: silentLog });
};
const write = (at: string) => ({
  expect: [],
  puts: [{ key: at, value: Buffer.from('1') }],
  deletes: [],
});
/** It opens, is written to, read and watched. */
async function expectWorking(config: Partial<EtcdConfig>): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const store = await open(config);
  stack.defer(() => store.close());
  const { revision } = { revision: 0, ...(await store.commit(write('/a'))) };
  expect((await store.get('/a'))?.revision).toBe(revision);
  const { signal } = new AbortController();
  for await (const [first] of store.watch('/', { after: revision - 1, signal })) {
    expect(first?.revision).toBe(revision);
    break;
  }
}

describe('etcd with client certificates', () => {
  const file = async (name: string, text: string) => {
    await writeFile(join(dir, name), text);
    return join(dir, name);
  };
  const authority = (name: string) => openCa({ dir: join(dir, name), clock, rng: systemRng() });

  for (const [name, otherName] of [
    ['127.0.0.1', 'localhost'],
    ['localhost', '127.0.0.1'],
  ] as const)
    it(`is reached as ${name} with a certificate of its authority, and by no other way`, async () => {
      const [ca, other] = [await authority('pki'), await authority('other')];
      const serving = await ca.issue({ use: 'server', name: 'etcd', hosts: [name] });
      const client = await ca.issue({ use: 'client', name: 'orc', groups: [] });
      const caFile = await file('ca.crt', ca.certificate);
      etcd = await startEtcd(1, [
        ...['--cert-file', await file('etcd.crt', serving.certificate)],
        ...['--key-file', await file('etcd.key', serving.key)],
        ...['--client-cert-auth', '--trusted-ca-file', caFile],
      ]);
      const under = (host: string) =>
        (etcd?.urls ?? []).map((url) => url.replace('127.0.0.1', host));
      const pair = {
        etcdCert: await file('orc.crt', client.certificate),
        etcdKey: await file('orc.key', client.key),
      };
      await expectWorking({ urls: under(name), etcdCa: caFile, ...pair });
      const otherCa = await file('other.crt', other.certificate);
      const refused = [
        { urls: under(name), etcdCa: caFile },
        { urls: under(name), etcdCa: otherCa, ...pair },
        { urls: under(otherName), etcdCa: caFile, ...pair },
      ].map((config) => expect(open(config)).rejects.toMatchObject({ reason: 'Unavailable' }));
      await Promise.all(refused);
    });

  it('names the flag whose file is missing', async () => {
    const absent = join(dir, 'absent');
    await expect(open({ urls: ['https://a:1'], etcdCa: absent })).rejects.toThrow('--etcd-ca');
  });
});

describe('etcd with users', () => {
  it('is reached with the right password, also when it has forgotten the token', async () => {
    etcd = await startEtcd();
    const { urls } = etcd;
    const [client] = await ensurePackages(['etcd-client'], cacheDirectory);
    const etcdctl = async (...args: readonly string[]) => {
      const program = join(client?.directory ?? '', 'usr/bin/etcdctl');
      const env = { ETCDCTL_API: '3' };
      const run = await runProgram(program, [`--endpoints=${urls[0]}`, ...args], { env });
      expect(run).toMatchObject({ code: 0 });
    };
    await etcdctl('user', 'add', 'root:secret');
    await etcdctl('user', 'grant-role', 'root', 'root');
    await etcdctl('auth', 'enable');
    const etcdPasswordFile = join(dir, 'password');
    await writeFile(etcdPasswordFile, 'secret\n');
    await expectWorking({ urls, etcdUser: 'root', etcdPasswordFile });

    const store = await open({ urls, etcdUser: 'root', etcdPasswordFile });
    const stopping = new AbortController();
    const seen: number[] = [];
    const { revision } = { revision: 0, ...(await store.commit(write('/a'))) };
    const following = (async () => {
      const watch = { after: revision, signal: stopping.signal };
      for await (const changes of store.watch('/', watch)) {
        seen.push(...changes.map((change) => change.revision));
        if (seen.length === 2) return;
      }
    })();
    await store.commit(write('/b'));
    await etcd.kill(0);
    await etcd.start(0);
    await store.commit(write('/c'));
    await following;
    expect(seen).toEqual([revision + 1, revision + 2]);
    await store.close();

    await writeFile(etcdPasswordFile, 'wrong');
    for (const refused of [{ urls, etcdUser: 'root', etcdPasswordFile }, { urls }])
      await expect(open(refused)).rejects.toMatchObject({ reason: 'Unavailable' });
  });
});
