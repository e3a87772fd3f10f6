import type { Kind } from '../../api/kind.ts';
import { kinds as allKinds } from '../../api/kinds.ts';
import { silentLog } from '../../base/log.ts';
import { startCache } from '../../controller/store/object-cache.ts';
import { objectCodec } from '../../controller/store/object-codec.ts';
import { openObjects } from '../../controller/store/object-store.ts';
import type { Cache, Index, TiedObjects } from '../../controller/store/objects.ts';
import { secretBox } from '../../controller/store/secret-box.ts';
import type { Store } from '../../controller/store/store.ts';
import { openMemoryStore } from '../contract/fakes/memory-store.ts';
import { type FakeClock, fakeClock } from './fake-clock.ts';
import { seededRng } from './seeded-rng.ts';

/** Objects and cache on a store in memory, with a clock that stands at 2026-01-01T00:00:00Z until moved. */
export interface ObjectWorld {
  readonly clock: FakeClock;
  readonly store: Store;
  readonly objects: TiedObjects;
  readonly cache: Cache;
  /** The cache has everything that is written so far. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

export interface WorldOptions {
  readonly kinds?: readonly Kind[];
  readonly indexes?: readonly Index[];
  readonly rememberedChanges?: number;
  /** What the cache sees instead of the store itself. */
  readonly seenByCache?: (store: Store) => Store;
}

export async function objectWorld(options: WorldOptions = {}): Promise<ObjectWorld> {
  const { kinds = allKinds, indexes = [], seenByCache = (store) => store } = options;
  const clock = fakeClock(Date.parse('2026-01-01T00:00:00Z'));
  const rng = seededRng(3);
  const log = silentLog;
  const store = openMemoryStore();
  const codec = objectCodec(secretBox(rng.bytes(32), rng));
  const { cache, stop } = await startCache({
    store: seenByCache(store),
    codec,
    kinds,
    indexes,
    clock,
    rng,
    log,
    rememberedChanges: options.rememberedChanges ?? 1000,
  });
  return {
    clock,
    store,
    objects: openObjects({ store, codec, clock, rng }),
    cache,
    settled: async () => cache.reached(await store.revision()),
    async stop() {
      await stop();
      await store.close();
    },
  };
}
