import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../../base/clock.ts';
import { silentLog } from '../../../../base/log.ts';
import { systemRng } from '../../../../base/rng.ts';
import { standForElection } from '../../../../controller/leader/election.ts';
import { openEtcdStore } from '../../../../controller/store/etcd-store.ts';
import { epochKey, leaderKey } from '../../../../controller/store/keys.ts';
import { openSqliteStore } from '../../../../controller/store/sqlite-store.ts';
import type { Store } from '../../../../controller/store/store.ts';
import { startEtcd, type TestEtcd } from '../../../support/etcd.ts';
import { runProgram } from '../../../support/run-program.ts';

const orc = new URL('../../../../orc.ts', import.meta.url).pathname;
const base = { clock: systemClock(), rng: systemRng(), log: silentLog };
const objects = 2000;

let dir: string;
let etcd: TestEtcd;
let first: string;
let second: string;
let onEtcd: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'orc-migrate-'));
  etcd = await startEtcd();
  first = `sqlite:${join(dir, 'first.db')}`;
  second = `sqlite:${join(dir, 'second.db')}`;
  onEtcd = `etcd:${etcd.urls.join(',')}`;
  await using(first, fill);
});
afterAll(async () => {
  await etcd?.stop();
  await rm(dir, { recursive: true });
});

const openAt = (place: string) =>
  place.startsWith('etcd:')
    ? openEtcdStore({ urls: etcd.urls, ...base })
    : openSqliteStore({ path: place.slice('sqlite:'.length), ...base });

async function using<T>(place: string, use: (store: Store) => Promise<T>): Promise<T> {
  const store = await openAt(place);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

const put = (...pairs: readonly (readonly [string, string])[]) => ({
  expect: [],
  puts: pairs.map(([key, value]) => ({ key, value: Buffer.from(value) })),
  deletes: [],
});

/** Objects in no order of names, every tenth with a claim in the same transaction; what was deleted, too. */
async function fill(store: Store): Promise<void> {
  await store.commit(put([epochKey, '41'], [leaderKey, 'one that was killed']));
  for (let i = 0; i < objects; i++) {
    const name = `${(i * 7919) % objects}`;
    const value = Buffer.from(base.rng.bytes(i % 500 === 0 ? 400_000 : 200)).toString('latin1');
    const claim = [`/orc/claims/x/${name}`, name] as const;
    const key = `/orc/core/configmaps/default/${name}`;
    await store.commit(put([key, value], ...(i % 10 === 0 ? [claim] : [])));
  }
  await store.commit({ expect: [], puts: [], deletes: ['/orc/core/configmaps/default/5'] });
}

async function entriesOf(place: string) {
  const entries = await using(place, async (store) => (await store.list('/')).entries);
  return entries.filter(({ key }) => key !== leaderKey);
}
const contentOf = async (place: string) =>
  (await entriesOf(place)).map(({ key, value }) => [key, Buffer.from(value).toString('hex')]);

/** Revisions there of what each transaction of `from` wrote, the oldest first: one each, if it stayed in one. */
async function agesOf(from: string, place: string): Promise<readonly (readonly number[])[]> {
  const there = new Map((await entriesOf(place)).map(({ key, revision }) => [key, revision]));
  const groups = Map.groupBy(await entriesOf(from), ({ revision }) => revision);
  return [...groups]
    .sort(([a], [b]) => a - b)
    .map(([, group]) => [...new Set(group.map(({ key }) => there.get(key) ?? 0))]);
}
const revisionOf = (place: string) => using(place, (store) => store.revision());

const migrate = (...args: readonly string[]) =>
  runProgram(process.execPath, [orc, 'store', 'migrate', ...args]);

describe('orc store migrate', () => {
  it('carries a store to etcd and back: every key, transactions whole and in their order, and revisions go on', async () => {
    const content = await contentOf(first);
    for (const [from, to] of [
      [first, onEtcd],
      [onEtcd, second],
    ] as const) {
      const before = await revisionOf(from);
      const run = await migrate('--from', from, '--to', to);
      expect(run).toMatchObject({ code: 0, err: '' });
      expect(run.out).toMatch(/^2200 keys copied from .+ to .+, and read back\n$/);
      expect(await contentOf(to)).toEqual(content);
      const ages = await agesOf(from, to);
      expect(ages.filter(({ length }) => length !== 1)).toEqual([]);
      expect(ages.flat()).toEqual(ages.flat().toSorted((a, b) => a - b));
      expect(await revisionOf(to)).toBeGreaterThan(before);
    }
    expect(await contentOf(first), 'the source is as it was').toEqual(content);
  });

  it('refuses a target that is not empty, and leaves it as it was', async () => {
    const full = `sqlite:${join(dir, 'full.db')}`;
    await using(full, (store) => store.commit(put(['/orc/mine', '1'])));
    const run = await migrate('--from', first, '--to', full);
    expect(run).toMatchObject({ code: 1, err: expect.stringContaining('is not empty') });
    expect(await contentOf(full)).toEqual([['/orc/mine', '31']]);
  });

  it('refuses stores that are in use', async () => {
    await using(first, async () => {
      const run = await migrate('--from', first, '--to', `sqlite:${join(dir, 'a.db')}`);
      expect(run).toMatchObject({ code: 1, err: expect.stringContaining('has the store open') });
    });
    await using(onEtcd, async (store) => {
      const stop = standForElection({
        ...{ ...base, store, candidate: 'controller2', isAlone: false },
        lead: ({ signal }) => once(signal, 'abort').then(() => undefined),
      });
      await vi.waitFor(async () => expect(await store.get(leaderKey)).toBeDefined());
      const run = await migrate('--from', onEtcd, '--to', `sqlite:${join(dir, 'b.db')}`);
      expect(run).toMatchObject({ code: 1, err: expect.stringContaining('controller2 leads') });
      await stop();
    });
  });

  it('ends with 2 for what it does not understand', async () => {
    const absent = `sqlite:${join(dir, 'absent.db')}`;
    for (const [args, words] of [
      [['--from', absent, '--to', onEtcd], 'is not there'],
      [['--from', 'redis:x', '--to', onEtcd], '--from must be sqlite:FILE|etcd:URL'],
      [['--from', first], '--to is required'],
      [['--from', first, '--to', 'etcd:x'], '--to must be http://HOST:PORT'],
      [['--from', first, '--to', onEtcd, '--etcd-ca', 'x'], '--etcd-ca needs an https URL in --to'],
    ] as const)
      expect(await migrate(...args)).toMatchObject({
        code: 2,
        err: expect.stringContaining(words),
      });
  });
});
