import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../../base/clock.ts';
import { silentLog } from '../../../../base/log.ts';
import { systemRng } from '../../../../base/rng.ts';
import { openEtcdStore } from '../../../../controller/store/etcd-store.ts';
import type { Store, StoreError } from '../../../../controller/store/store.ts';
import { type CuttableRelay, startRelay } from '../../../support/cuttable-relay.ts';
import { startEtcd, type TestEtcd } from '../../../support/etcd.ts';
import { waitFor } from '../../../support/wait-for.ts';

const clock = systemClock();
const value = Buffer.from('x');

const openAt = (...urls: readonly string[]) =>
  openEtcdStore({ urls, clock, rng: systemRng(), log: silentLog });
const create = (store: Store, key: string) =>
  store.commit({ expect: [{ key, revision: 0 }], puts: [{ key, value }], deletes: [] });

/** Writes new keys one after the other until told to stop; what was acknowledged, and what failed. */
function startWriter(store: Store, prefix: string) {
  const acknowledged: string[] = [];
  const failures: unknown[] = [];
  let running = true;
  const write = async () => {
    for (let i = 0; running; i++) {
      const key = `/${prefix}/${String(i).padStart(6, '0')}`;
      try {
        const outcome = await create(store, key);
        if (outcome.committed) acknowledged.push(key);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  const ended = write();
  const stop = () => {
    running = false;
    return ended;
  };
  return { acknowledged, failures, stop };
}

/** Collects `KEY REVISION` of a watch from the beginning. */
function startWatch(store: Store, prefix: string) {
  const seen: string[] = [];
  const stopping = new AbortController();
  const follow = async () => {
    for await (const changes of store.watch(prefix, { after: 0, signal: stopping.signal }))
      seen.push(...changes.map(({ key, revision }) => `${key} ${revision}`));
  };
  const ended = follow();
  ended.catch(() => undefined);
  const stop = () => {
    stopping.abort();
    return ended;
  };
  return { seen, ended, stop };
}

const listed = async (store: Store, prefix: string) =>
  [...(await store.list(prefix)).entries]
    .sort((a, b) => a.revision - b.revision)
    .map(({ key, revision }) => `${key} ${revision}`);

describe('a store whose only etcd is away', () => {
  let etcd: TestEtcd;
  let relay: CuttableRelay;
  let store: Store;
  let direct: Store;
  beforeEach(async () => {
    etcd = await startEtcd();
    relay = await startRelay(Number(new URL(etcd.urls[0] ?? '').port));
    store = await openAt(`http://127.0.0.1:${relay.port}`);
    direct = await openAt(...etcd.urls);
  });
  afterEach(async () => {
    await relay.restore();
    await store.close();
    await direct.close();
    await relay.stop();
    await etcd.stop();
  });

  for (const how of ['cut', 'freeze'] as const) {
    it(`says Unavailable within seconds, and goes on within one when it is back (${how})`, async () => {
      await create(store, '/before');
      await relay[how]();
      const start = performance.now();
      await expect(create(store, '/during')).rejects.toMatchObject({ reason: 'Unavailable' });
      await expect(store.get('/before')).rejects.toMatchObject({ reason: 'Unavailable' });
      expect(performance.now() - start).toBeLessThan(13_000);
      await relay.restore();
      const back = performance.now();
      expect(await store.get('/before')).toMatchObject({ revision: 1 });
      expect(performance.now() - back).toBeLessThan(1000);
    });
  }

  it('loses nothing that it acknowledged; its watches miss and repeat nothing', async () => {
    const watch = startWatch(store, '/w/');
    const writer = startWriter(store, 'w');
    await waitFor('writes', () => writer.acknowledged.length > 100);
    for (let outage = 0; outage < 3; outage++) {
      const before = writer.acknowledged.length;
      await relay.cut();
      await new Promise((resolve) => setTimeout(resolve, 300));
      await create(direct, `/w/elsewhere-${outage}`);
      await relay.restore();
      const back = performance.now();
      await waitFor('the next write', () => writer.acknowledged.length > before + 1);
      const key = `/w/elsewhere-${outage}`;
      await waitFor('the watch', () => watch.seen.some((line) => line.startsWith(key)));
      expect(performance.now() - back).toBeLessThan(1000);
    }
    await writer.stop();
    const held = await listed(direct, '/w/');
    await waitFor('the watch', () => watch.seen.length >= held.length);
    await watch.stop();
    expect(watch.seen).toEqual(held);
    const keys = new Set(held.map((line) => line.split(' ')[0]));
    expect(writer.acknowledged.filter((key) => !keys.has(key))).toEqual([]);
    for (const failure of writer.failures)
      expect((failure as StoreError).reason).toBe('Unavailable');
  });

  it('keeps what it acknowledged when etcd is killed the next instant', async () => {
    const writer = startWriter(store, 'k');
    await waitFor('writes', () => writer.acknowledged.length > 100);
    await etcd.kill(0);
    const acknowledged = [...writer.acknowledged];
    await etcd.start(0);
    await waitFor('the next write', () => writer.acknowledged.length > acknowledged.length + 1);
    await writer.stop();
    const held = new Set((await direct.list('/k/')).entries.map(({ key }) => key));
    expect(acknowledged.filter((key) => !held.has(key))).toEqual([]);
  });

  it('ends a watch with Compacted when what it missed is gone', async () => {
    const watch = startWatch(store, '/');
    await create(direct, '/a');
    await waitFor('the watch', () => watch.seen.length === 1);
    await relay.cut();
    for (const key of ['/b', '/c', '/d']) await create(direct, key);
    await direct.compact(await direct.revision());
    await relay.restore();
    await expect(watch.ended).rejects.toMatchObject({ reason: 'Compacted' });
  });
});

describe('a store on three members', () => {
  it('goes on when any one is killed: at most a retry is seen, and nothing is lost', async () => {
    const etcd = await startEtcd(3);
    const store = await openAt(...etcd.urls);
    const watch = startWatch(store, '/w/');
    try {
      for (const member of [0, 1, 2]) {
        const writer = startWriter(store, `w/${member}`);
        await waitFor('writes', () => writer.acknowledged.length > 20);
        await etcd.kill(member);
        const before = writer.acknowledged.length;
        await waitFor('more writes', () => writer.acknowledged.length > before + 20, 10_000);
        await writer.stop();
        expect(writer.failures.length).toBeLessThan(2);
        const held = new Set((await store.list('/w/')).entries.map(({ key }) => key));
        expect(writer.acknowledged.filter((key) => !held.has(key))).toEqual([]);
        await etcd.start(member);
      }
      const held = await listed(store, '/w/');
      await waitFor('the watch', () => watch.seen.length >= held.length, 10_000);
      expect(watch.seen).toEqual(held);
    } finally {
      await watch.stop();
      await store.close();
      await etcd.stop();
    }
  });
});
