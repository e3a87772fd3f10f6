import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { systemRng } from '../base/rng.ts';
import { openEtcdStore } from '../controller/store/etcd-store.ts';
import { openSqliteStore } from '../controller/store/sqlite-store.ts';
import type { Store } from '../controller/store/store.ts';
import { startEtcd } from '../test/support/etcd.ts';
import { median, percentile, printTable } from './figures.ts';
import { writesPerSecond } from './store-writes.ts';

/** The stores side by side: compare-and-swaps of 1 KB a second, and from the call of one to its arrival at a watch. */
const rounds = 5;
const clock = systemClock();
const base = { clock, rng: systemRng(), log: silentLog };
const value = new Uint8Array(1024).fill(120);

await using stack = new AsyncDisposableStack();
const directory = await mkdtemp(join(tmpdir(), 'orc-bench-'));
stack.defer(() => rm(directory, { recursive: true }));
const [etcd, etcd3] = [await startEtcd(1), await startEtcd(3)];
stack.defer(() => etcd.stop());
stack.defer(() => etcd3.stop());
const stores = {
  SQLite: await openSqliteStore({ path: join(directory, 'store.db'), ...base }),
  etcd: await openEtcdStore({ urls: etcd.urls, ...base }),
  'etcd, 3 members': await openEtcdStore({ urls: etcd3.urls, ...base }),
};
for (const store of Object.values(stores)) stack.defer(() => store.close());

const measured = new Map<string, { one: number[]; many: number[]; latencies: number[] }>();
for (let round = 0; round < rounds; round++)
  for (const [name, store] of Object.entries(stores)) {
    const figures = measured.get(name) ?? { one: [], many: [], latencies: [] };
    figures.one.push(await writesPerSecond(store, { writers: 1, value }));
    figures.many.push(await writesPerSecond(store, { writers: 64, value }));
    figures.latencies.push(...(await watchLatencies(store, 200)));
    measured.set(name, figures);
  }
printTable(
  ['store', '1 writer, writes/s', '64 writers, writes/s', 'put → watch p50, ms', 'p99, ms'],
  [...measured].map(([name, { one, many, latencies }]) => [
    ...[name, median(one).toFixed(0), median(many).toFixed(0)],
    ...[median(latencies).toFixed(2), percentile(latencies, 99).toFixed(2)],
  ]),
);

/** One put after the other, each begun when the watch has told of the one before. */
async function watchLatencies(store: Store, count: number): Promise<readonly number[]> {
  const latencies: number[] = [];
  const { signal } = new AbortController();
  let start = 0;
  const put = () => {
    start = clock.monotonic();
    return store.commit({ expect: [], puts: [{ key: '/watched', value }], deletes: [] });
  };
  const after = await store.revision();
  const commits = [put()];
  for await (const _ of store.watch('/watched', { after, signal })) {
    latencies.push(clock.monotonic() - start);
    await commits.at(-1);
    if (latencies.length === count) break;
    commits.push(put());
  }
  return latencies;
}
