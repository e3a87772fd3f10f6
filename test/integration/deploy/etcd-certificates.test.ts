import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../base/clock.ts';
import { silentLog } from '../../../base/log.ts';
import { systemRng } from '../../../base/rng.ts';
import { type EtcdConfig, loadEtcdAccess } from '../../../controller/etcd-access.ts';
import { openEtcdStore } from '../../../controller/store/etcd-store.ts';
import type { Store } from '../../../controller/store/store.ts';
import { findEtcd } from '../../../dev/etcd.ts';
import { ensurePackages } from '../../../dev/images/packages.ts';
import { cacheDirectory } from '../../support/debian-image.ts';
import { runProgram } from '../../support/run-program.ts';
import { waitFor } from '../../support/wait-for.ts';

const script = new URL('../../../deploy/etcd-certificates', import.meta.url).pathname;
const base = { clock: systemClock(), rng: systemRng(), log: silentLog };

/** Three machines are three loopback addresses, so that every file is as the script makes it. */
const [third, fourth] = [1 + ((process.pid >> 8) % 250), process.pid & 0xff];
const machines = ['m1', 'm2', 'm3'].map((name, i) => ({
  name,
  address: `127.${100 + i}.${third}.${fourth}`,
}));
const urls = machines.map(({ address }) => `https://${address}:2379`);

let directory: string;
let binary: string;
const running = new Map<string, ChildProcess>();
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'orc-etcd-recipe-'));
  binary = await findEtcd(cacheDirectory);
});
afterAll(async () => {
  for (const name of running.keys()) await kill(name);
  await rm(directory, { recursive: true });
});

const files = (...path: readonly string[]) => join(directory, 'files', ...path);
const makeFiles = () =>
  runProgram(script, [files(), ...machines.map(({ name, address }) => `${name}=${address}`)]);

/** What systemd reads, but for the places of files, and 127.0.0.1, which here all of them share. */
async function start(name: string): Promise<void> {
  const text = (await readFile(files(name, 'default'), 'utf8'))
    .replaceAll('/etc/etcd', files(name, 'etcd'))
    .replace(',https://127.0.0.1:2379', '')
    .replaceAll('/var/lib/etcd', join(directory, `data-${name}`));
  const env = Object.fromEntries(
    [...text.matchAll(/^([A-Z_]+)="(.*)"$/gm)].map(([, key, value]) => [key, value]),
  );
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', binary], { env, stdio: 'ignore' });
  running.set(name, child);
}

async function kill(name: string): Promise<void> {
  const child = running.get(name);
  running.delete(name);
  if (!child || child.exitCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** As controller.yaml of that machine says it. */
const configOf = (name: string): EtcdConfig => ({
  ...{ urls, etcdUser: undefined, etcdPasswordFile: undefined, etcdTimeout: undefined },
  etcdCa: files(name, 'orc/ca.crt'),
  etcdCert: files(name, 'orc/client.crt'),
  etcdKey: files(name, 'orc/client.key'),
});

/** On m2. After restarts it says "unhealthy cluster" until members have been linked for five seconds. */
function etcdctl(...args: readonly string[]): Promise<string> {
  const paths = (['cacert', 'cert', 'key'] as const).flatMap((flag, i) => [
    ...[`--${flag}`, files('m2', 'orc', ['ca.crt', 'client.crt', 'client.key'][i] ?? '')],
  ]);
  return waitFor(
    `etcdctl ${args.join(' ')}`,
    async () => {
      const [client] = await ensurePackages(['etcd-client'], cacheDirectory);
      const binary = join(client?.directory ?? '', 'usr/bin/etcdctl');
      const run = await runProgram(binary, ['--endpoints', urls[1] ?? '', ...paths, ...args]);
      return run.code === 0 && run.out;
    },
    40_000,
  );
}

describe('etcd on three machines, by the recipe', { timeout: 120_000 }, () => {
  let store: Store;
  const written: string[] = [];
  afterAll(() => store?.close());

  const write = async (key: string) => {
    const puts = [{ key, value: Buffer.from('1') }];
    await store.commit({ expect: [{ key, revision: 0 }], puts, deletes: [] });
    written.push(key);
  };
  const writable = (key: string) =>
    waitFor(
      `a write of ${key}`,
      () =>
        write(key).then(
          () => true,
          () => false,
        ),
      30_000,
    );

  it('serves controllers, and nobody without a certificate', async () => {
    expect(await makeFiles()).toMatchObject({ code: 0 });
    await Promise.all(machines.map(({ name }) => start(name)));
    const access = await loadEtcdAccess(configOf('m2'));
    const open = () => openEtcdStore({ ...access, ...base }).catch(() => undefined);
    store = await waitFor('etcd', open, 30_000);
    await writable('/first');
    const stranger = { ...configOf('m1'), etcdCert: undefined, etcdKey: undefined };
    await expect(openEtcdStore({ ...(await loadEtcdAccess(stranger)), ...base })).rejects.toThrow();
  });

  it('does without one machine, refuses writes without two, and has lost nothing when they are back', async () => {
    await kill('m1');
    await writable('/without-m1');
    await kill('m2');
    await expect(write('/without-both')).rejects.toMatchObject({ reason: 'Unavailable' });
    await start('m1');
    await start('m2');
    await writable('/with-all');
    const { entries } = await store.list('/');
    expect(entries.map(({ key }) => key)).toEqual(expect.arrayContaining(written));
  });

  it('takes a new machine in the place of a lost one', async () => {
    await kill('m3');
    await rm(join(directory, 'data-m3'), { recursive: true });
    await rm(files('m3'), { recursive: true });
    const [, id = ''] = /^([0-9a-f]+), started, m3,/m.exec(await etcdctl('member', 'list')) ?? [];
    await etcdctl('member', 'remove', id);
    await etcdctl('member', 'add', 'm3', `--peer-urls=https://${machines[2]?.address}:2380`);
    const before = await readFile(files('m1', 'etcd/member.crt'));
    expect(await makeFiles()).toMatchObject({ code: 0 });
    expect(await readFile(files('m1', 'etcd/member.crt')), 'what is there stays').toEqual(before);
    await start('m3');
    await waitFor('m3', async () => /, started, m3,/.test(await etcdctl('member', 'list')), 30_000);
    await kill('m1');
    await writable('/by-m2-and-m3');
  });

  it('says how it is called, and makes nothing of what it does not understand', async () => {
    for (const args of [
      [],
      ['x'],
      [files('odd'), 'm1'],
      [files('odd'), 'm1=1=2'],
      [files('odd'), '../m=1'],
    ]) {
      const { code, err } = await runProgram(script, args);
      expect(code).toBe(2);
      expect(err).toContain('NAME=IP');
    }
    await expect(access(files('odd'))).rejects.toThrow('ENOENT');
  });
});
