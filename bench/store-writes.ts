import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { systemRng } from '../base/rng.ts';
import { openEtcdStore } from '../controller/store/etcd-store.ts';
import { openSqliteStore } from '../controller/store/sqlite-store.ts';
import type { Store } from '../controller/store/store.ts';

/** A second and so many writers, each of whom replaces its own key, expecting the revision that it wrote last. */
export async function writesPerSecond(
  store: Store,
  { writers, value }: { readonly writers: number; readonly value: Uint8Array },
): Promise<number> {
  const clock = systemClock();
  const until = clock.monotonic() + roundMs;
  let written = 0;
  const write = async (writer: number) => {
    const key = `/bench/${writer}`;
    let revision = (await store.get(key))?.revision ?? 0;
    for (; clock.monotonic() < until; written++) {
      const transaction = { expect: [{ key, revision }], puts: [{ key, value }], deletes: [] };
      const outcome = await store.commit(transaction);
      if (!outcome.committed) throw new Error(`${key} was written by somebody else`);
      revision = outcome.revision;
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  return (written * 1000) / roundMs;
}

const roundMs = 1000;

const base = { clock: systemClock(), rng: systemRng(), log: silentLog };

/** A file of SQLite's, or etcd's URL; as a user of the store finds it who does nothing else. */
export const openStoreAt = (place: string): Promise<Store> =>
  place.startsWith('http')
    ? openEtcdStore({ urls: [place], ...base })
    : openSqliteStore({ path: place });
