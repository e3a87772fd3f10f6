import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store, StoreChange, Transaction } from '../../controller/store/store.ts';

export interface StoreUnderTest {
  open(): Promise<Store>;
  /** The same store, opened again after `close`; undefined where nothing outlives it. */
  readonly reopen?: () => Promise<Store>;
  cleanUp(): Promise<void>;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined) => value && new TextDecoder().decode(value);
const put = (key: string, value: string): Transaction => ({
  expect: [],
  puts: [{ key, value: bytes(value) }],
  deletes: [],
});
const remove = (...deletes: string[]): Transaction => ({ expect: [], puts: [], deletes });
const expecting = (revision: number, transaction: Transaction): Transaction => ({
  ...transaction,
  expect: [...transaction.puts, ...transaction.deletes.map((key) => ({ key }))].map(({ key }) => ({
    key,
    revision,
  })),
});
const brief = ({ kind, key, revision, value }: StoreChange) =>
  `${revision} ${kind} ${key} ${text(value) ?? '-'}`;

/** What every store must do; run for each implementation. */
export function storeContract(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    let subject: StoreUnderTest;
    let store: Store;
    let stopWatches: AbortController;

    beforeEach(async () => {
      subject = await make();
      stopWatches = new AbortController();
      store = await subject.open();
    });
    afterEach(async () => {
      stopWatches.abort();
      await store.close();
      await subject.cleanUp();
    });

    /** Collects changes in the background; `until(n)` waits for the first n. */
    const watching = (prefix: string, after: number) => {
      const seen: string[] = [];
      const batches: number[][] = [];
      let arrived = () => {};
      const run = async () => {
        for await (const batch of store.watch(prefix, { after, signal: stopWatches.signal })) {
          seen.push(...batch.map(brief));
          batches.push(batch.map((change) => change.revision));
          arrived();
        }
      };
      const ended = run();
      ended.catch(() => {});
      const until = async (count: number) => {
        while (seen.length < count) {
          await Promise.race([
            ended.then(() => Promise.reject(new Error(`the watch ended after ${seen.length}`))),
            new Promise<void>((resolve) => {
              arrived = resolve;
            }),
          ]);
        }
        return seen;
      };
      return { until, ended, batches, seen };
    };
    const listed = async (prefix: string) => {
      const { entries, revision } = await store.list(prefix);
      return { entries: entries.map((e) => `${e.key}=${text(e.value)}@${e.revision}`), revision };
    };

    describe('writing', () => {
      it('gives every transaction that changes something the next revision', async () => {
        expect(await store.revision()).toBe(0);
        expect(await store.commit(put('/a', '1'))).toEqual({ committed: true, revision: 1 });
        expect(await store.commit(put('/b', '2'))).toEqual({ committed: true, revision: 2 });
        expect(await store.revision()).toBe(2);
      });

      it('spends no revision on a transaction that changes nothing', async () => {
        await store.commit(put('/a', '1'));
        expect(await store.commit(remove('/absent'))).toEqual({ committed: true, revision: 1 });
        expect(await store.revision()).toBe(1);
      });

      it('gives everything in one transaction the same revision', async () => {
        await store.commit(put('/old', '0'));
        await store.commit({
          expect: [],
          puts: [
            { key: '/a', value: bytes('1') },
            { key: '/b', value: bytes('2') },
          ],
          deletes: ['/old'],
        });
        expect(await listed('/')).toEqual({
          entries: ['/a=1@2', '/b=2@2'],
          revision: 2,
        });
      });

      it('refuses a write whose expected revision has passed, and says the current one', async () => {
        await store.commit(put('/a', '1'));
        await store.commit(put('/a', '2'));
        const outcome = await store.commit(expecting(1, put('/a', '3')));
        expect(outcome).toMatchObject({ committed: false, key: '/a', current: { revision: 2 } });
        expect((await listed('/')).entries).toEqual(['/a=2@2']);
      });

      it('creates only what is absent when revision 0 is expected', async () => {
        expect(await store.commit(expecting(0, put('/a', '1')))).toMatchObject({ committed: true });
        expect(await store.commit(expecting(0, put('/a', '2')))).toMatchObject({
          committed: false,
          current: { revision: 1 },
        });
      });

      it('says that an expected key is absent', async () => {
        expect(await store.commit(expecting(7, put('/a', '1')))).toEqual({
          committed: false,
          key: '/a',
          current: undefined,
        });
      });

      it('writes nothing of a transaction of which one expectation fails', async () => {
        await store.commit(put('/a', '1'));
        const outcome = await store.commit({
          expect: [
            { key: '/a', revision: 1 },
            { key: '/b', revision: 5 },
          ],
          puts: [{ key: '/a', value: bytes('x') }],
          deletes: [],
        });
        expect(outcome).toEqual({ committed: false, key: '/b', current: undefined });
        expect((await listed('/')).entries).toEqual(['/a=1@1']);
      });

      it('lets exactly one of many concurrent compare-and-swaps win', async () => {
        const tries = Array.from({ length: 20 }, (_, i) =>
          store.commit(expecting(0, put('/a', String(i)))),
        );
        const outcomes = await Promise.all(tries);
        expect(outcomes.filter((outcome) => outcome.committed)).toHaveLength(1);
        expect(await store.revision()).toBe(1);
      });

      it('lets a refused write not hurt the ones beside it', async () => {
        const outcomes = await Promise.allSettled([
          store.commit(put('/a', '1')),
          store.commit(put('/big', 'x'.repeat(2_000_000))),
          store.commit(expecting(9, put('/b', '1'))),
          store.commit(put('/c', '1')),
        ]);
        expect(outcomes.map(({ status }) => status)).toEqual([
          'fulfilled',
          'rejected',
          'fulfilled',
          'fulfilled',
        ]);
        const { entries, revision } = await store.list('/');
        expect({ keys: entries.map(({ key }) => key), revision }).toEqual({
          keys: ['/a', '/c'],
          revision: 2,
        });
      });

      it('refuses more than 1.5 MiB less 16 KiB as TooLarge', async () => {
        const value = 'x'.repeat((1536 - 16) * 1024);
        await expect(store.commit(put('/a', `${value}x`))).rejects.toMatchObject({
          reason: 'TooLarge',
        });
        expect(await store.commit(put('/a', value))).toMatchObject({ committed: true });
      });

      it('keeps bytes as they are', async () => {
        const value = Uint8Array.from({ length: 256 }, (_, i) => i);
        await store.commit({ expect: [], puts: [{ key: '/a', value }], deletes: [] });
        expect(Array.from((await store.get('/a'))?.value ?? [])).toEqual([...value]);
        expect(await store.get('/b')).toBeUndefined();
      });
    });

    describe('listing', () => {
      beforeEach(async () => {
        for (const key of ['/p/c', '/p/a', '/q/a', '/p/b', '/pp'])
          await store.commit(put(key, '1'));
      });

      it('orders by key and stays below the prefix', async () => {
        expect((await listed('/p/')).entries).toEqual(['/p/a=1@2', '/p/b=1@4', '/p/c=1@1']);
      });

      it('says as of which revision', async () => {
        expect(await listed('/q/')).toEqual({ entries: ['/q/a=1@3'], revision: 5 });
        expect(await listed('/none/')).toEqual({ entries: [], revision: 5 });
      });
    });

    describe('watching', () => {
      it('delivers past and coming changes of its prefix once, in order', async () => {
        await store.commit(put('/p/a', '1'));
        await store.commit(put('/p/a', '2'));
        const watch = watching('/p/', 1);
        await watch.until(1);
        await store.commit(put('/q/a', '1'));
        await store.commit({ ...put('/p/b', '1'), deletes: ['/p/a'] });
        await store.commit(put('/p/c', '1'));
        expect(await watch.until(4)).toEqual([
          '2 put /p/a 2',
          '4 put /p/b 1',
          '4 delete /p/a -',
          '5 put /p/c 1',
        ]);
        const revisions = watch.batches.flatMap((batch) => [...new Set(batch)]);
        expect(revisions, 'no revision is in two batches').toEqual([...new Set(revisions)]);
      });

      it('misses and repeats nothing while it starts amid writes', async () => {
        const writes: Promise<unknown>[] = [];
        const watches: ReturnType<typeof watching>[] = [];
        for (let i = 0; i < 60; i++) {
          writes.push(store.commit(put(`/k${i % 7}`, String(i))));
          if (i % 10 === 0) watches.push(watching('/', 0));
        }
        await Promise.all(writes);
        for (const watch of watches) {
          const revisions = (await watch.until(60)).map((line) => Number(line.split(' ')[0]));
          expect(revisions).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
        }
      });

      it('shows a change to readers once a watch has told of it', async () => {
        const watch = watching('/', 0);
        const outcome = await store.commit(put('/a', '1'));
        await watch.until(1);
        expect(outcome).toEqual({ committed: true, revision: 1 });
        expect(text((await store.get('/a'))?.value)).toBe('1');
      });

      it('resumes across a reconnect without a gap', async () => {
        for (let i = 0; i < 5; i++) await store.commit(put('/a', String(i)));
        const first = watching('/', 0);
        await first.until(5);
        const second = watching('/', 3);
        expect(await second.until(2)).toEqual(['4 put /a 3', '5 put /a 4']);
      });

      it('answers Compacted for a revision that is gone', async () => {
        for (let i = 0; i < 5; i++) await store.commit(put('/a', String(i)));
        await store.compact(3);
        await expect(watching('/', 2).until(1)).rejects.toMatchObject({ reason: 'Compacted' });
        expect(await watching('/', 3).until(2)).toHaveLength(2);
      });

      it('ends without an error when its signal aborts', async () => {
        const watch = watching('/', 0);
        await store.commit(put('/a', '1'));
        await watch.until(1);
        stopWatches.abort();
        await watch.ended;
      });

      it('ends with Closed when the store is closed', async () => {
        const watch = watching('/', 0);
        await store.commit(put('/a', '1'));
        await watch.until(1);
        await store.close();
        await expect(watch.ended).rejects.toMatchObject({ reason: 'Closed' });
      });
    });

    it('answers Closed after it was closed', async () => {
      await store.close();
      await expect(store.get('/a')).rejects.toMatchObject({ reason: 'Closed' });
    });

    describe('opened again', () => {
      it('has what it acknowledged, its revisions and its history', async ({ skip }) => {
        const { reopen } = subject;
        if (!reopen) return skip('this store keeps nothing');
        await store.commit(put('/a', '1'));
        await store.commit(put('/a', '2'));
        await store.commit(put('/b', '1'));
        await store.compact(1);
        await store.close();

        store = await reopen();
        expect(await listed('/')).toEqual({ entries: ['/a=2@2', '/b=1@3'], revision: 3 });
        expect(await watching('/', 1).until(2)).toHaveLength(2);
        await expect(watching('/', 0).until(1)).rejects.toMatchObject({ reason: 'Compacted' });
        expect(await store.commit(put('/c', '1'))).toEqual({ committed: true, revision: 4 });
      });
    });
  });
}
