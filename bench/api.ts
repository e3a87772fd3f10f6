import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEtcd } from '../test/support/etcd.ts';
import { measureLists } from './api-lists.ts';
import { type Peer, startController, startFloor } from './api-peers.ts';
import { measureWatches } from './api-watches.ts';
import { add, aPod, fill, measureWrites } from './api-writes.ts';
import { median, printTable } from './figures.ts';
import { openStoreAt, writesPerSecond } from './store-writes.ts';

/**
 * `orc controller` beside a bare node:https server that answers with the same bytes and commits the same bodies to a store
 * of the same kind (api-floor.ts); 10,000 pods of nodes that never answer. Arguments: SQLite, etcd; or none for both.
 */
const rounds = 5;
const value = new TextEncoder().encode(JSON.stringify(aPod(0)));

/** Of one peer, by the figure's name, a number for each round. */
export type Figures = Map<string, number[]>;

console.log(`load ${loadavg()[0]?.toFixed(1)}`);
const chosen = process.argv.slice(2);
for (const store of ['SQLite', 'etcd'])
  if (chosen.length === 0 || chosen.includes(store)) await measure(store);
console.log(`load ${loadavg()[0]?.toFixed(1)}`);

async function measure(storeName: string): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'orc-bench-'));
  stack.defer(() => rm(directory, { recursive: true }));
  const dir = join(directory, 'controller');
  const urls: string[] = [];
  if (storeName === 'etcd')
    for (let i = 0; i < 3; i++) {
      const etcd = await startEtcd(1);
      stack.defer(() => etcd.stop());
      urls.push(...etcd.urls);
    }
  const ours = urls.slice(0, 1);
  const theirs = urls[1] ?? join(directory, 'floor.db');
  const peers = { orc: await startController(dir, ours) } as { orc: Peer; floor: Peer };
  peers.floor = await startFloor(dir, theirs);
  stack.defer(() => peers.floor.stop());
  stack.defer(() => peers.orc.stop());
  const orc: Figures = new Map();
  const floor: Figures = new Map();

  const store = await openStoreAt(urls[2] ?? join(directory, 'store.db'));
  stack.defer(() => store.close());
  await fill(peers);
  for (let round = 0; round < rounds; round++) {
    for (const writers of [1, 32]) {
      const perSecond = await writesPerSecond(store, { writers, value });
      add(floor, `the store alone: commits/s, ${writers} at once`, perSecond);
    }
    await measureWrites(peers.orc, orc, round);
    await measureWrites(peers.floor, floor, round);
  }
  for (let round = 0; round < rounds; round++) {
    await peers.orc.stop();
    peers.orc = await startController(dir, ours);
    await measureLists(peers, { orc, floor });
  }
  for (let round = 0; round < rounds; round++) {
    await peers.orc.stop();
    peers.orc = await startController(dir, ours);
    add(orc, '1,000 watches: more resident, MB', await measureWatches(peers.orc, orc));
    await measureWatches(peers.floor, floor);
  }
  print(storeName, orc, floor);
}

function print(store: string, orc: Figures, floor: Figures): void {
  const shown = (values: readonly number[] | undefined) => {
    const value = median(values ?? []);
    return Number.isNaN(value) ? '' : value.toFixed(value < 100 ? (value < 10 ? 2 : 1) : 0);
  };
  const names = [...new Set([...orc.keys(), ...floor.keys()])];
  const ratio = (name: string) => median(orc.get(name) ?? []) / median(floor.get(name) ?? []);
  printTable(
    [`${store}, median of ${rounds}`, 'orc', 'floor', 'orc ÷ floor'],
    names.map((name) => {
      const each = [shown(orc.get(name)), shown(floor.get(name))];
      return [name, ...each, Number.isNaN(ratio(name)) ? '' : ratio(name).toFixed(2)];
    }),
  );
}
