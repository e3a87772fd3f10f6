import type { AnyObject, Kind } from '../../api/kind.ts';
import { backoffMs, withJitter } from '../../base/backoff.ts';
import type { Base } from '../../base/base.ts';
import { sleep } from '../../base/clock.ts';
import { orAborted } from '../../base/deadline.ts';
import { type CacheState, type CacheTables, cacheState, cacheTables } from './cache-state.ts';
import { keyOf, keyParser, objectsPrefix, storeKey } from './keys.ts';
import type { ObjectCodec } from './object-codec.ts';
import type { Index, ObjectChange } from './objects.ts';
import type { Entry, Store, StoreChange } from './store.ts';

export interface CacheDeps extends Base {
  readonly store: Store;
  readonly codec: ObjectCodec;
  readonly kinds: readonly Kind[];
  readonly indexes: readonly Index[];
  /** How many changes watches can resume from, at least. Default 1,000; each holds an object as it was. */
  readonly rememberedChanges?: number;
}

/** The whole key space, so that the cache's revision is the store's even when no object changes. */
const watchedPrefix = '/';

const relistBackoff = { firstMs: 50, capMs: 5000 };

/** Resolves once the cache holds everything; from then on it follows the store, whatever happens to the watch. */
export async function startCache(deps: CacheDeps) {
  const tables = cacheTables(deps.kinds, deps.indexes);
  const state = cacheState(tables, deps.rememberedChanges ?? 1000, deps.log);
  const stopping = new AbortController();
  const { signal } = stopping;
  const feeder: Feeder = { deps, tables, state, parseKey: keyParser(deps.kinds), signal };
  await relist(feeder);
  const running = feed(feeder);
  return {
    cache: state.cache,
    async stop() {
      stopping.abort(new Error('the cache is stopping'));
      await running;
    },
  };
}

interface Feeder {
  readonly deps: CacheDeps;
  readonly tables: CacheTables;
  readonly state: CacheState;
  readonly parseKey: ReturnType<typeof keyParser>;
  readonly signal: AbortSignal;
}

async function feed(feeder: Feeder): Promise<void> {
  const { deps, state, signal } = feeder;
  for (let attempt = 1; !signal.aborted; attempt++) {
    const before = state.cache.revision;
    try {
      if (attempt > 1) await relist(feeder);
      await follow(feeder);
    } catch (err) {
      if (signal.aborted) return;
      if (state.cache.revision > before) attempt = 1;
      const retryInMs = withJitter(backoffMs(relistBackoff, attempt), deps.rng);
      deps.log.warn({ err, revision: before, retryInMs }, 'the watch broke; listing again');
      await sleep(deps.clock, retryInMs, signal).catch(() => undefined);
    }
  }
}

/** What the store holds, as changes against what is here. */
async function relist(feeder: Feeder): Promise<void> {
  const { deps, tables, state, signal } = feeder;
  const { entries, revision } = await orAborted(deps.store.list(objectsPrefix), signal);
  const stored = new Set(entries.map(({ key }) => key));
  const gone = deps.kinds.flatMap((kind) =>
    tables.list(kind).flatMap((object) => {
      const key = storeKey(kind, keyOf(object));
      return stored.has(key) ? [] : changeOf(feeder, { key, revision, value: undefined });
    }),
  );
  const changes = [...entries.flatMap((entry) => changeOf(feeder, entry)), ...gone];
  changes.sort((a, b) => a.revision - b.revision);
  state.appliedAfterGap(changes, revision);
}

async function follow(feeder: Feeder): Promise<void> {
  const { deps, state, signal } = feeder;
  const watch = { after: state.cache.revision, signal };
  for await (const batch of deps.store.watch(watchedPrefix, watch)) {
    const revision = batch.at(-1)?.revision ?? state.cache.revision;
    const changes = batch.flatMap((change) => changeOf(feeder, change));
    state.applied(changes, revision);
  }
}

/** Takes what is stored, or no longer, into the tables; empty: nothing is new to their readers. */
function changeOf(
  { deps, tables, parseKey }: Feeder,
  { key: at, value, revision }: Pick<StoreChange, 'key' | 'value' | 'revision'>,
): readonly ObjectChange[] {
  const parsed = parseKey(at);
  if (!parsed) return [];
  const { kind, key } = parsed;
  if (tables.get(kind, key)?.metadata.resourceVersion === String(revision)) return [];
  const object = value && decoded(deps, kind, { key: at, value, revision });
  if (value && !object) return [];
  const previous = tables.replace(kind, key, object);
  if (object) return [{ kind, key, revision, object, previous }];
  return previous ? [{ kind, key, revision, object, previous: asOf(previous, revision) }] : [];
}

/** An unreadable object must not keep all the others from their readers. */
function decoded(deps: CacheDeps, kind: Kind, entry: Entry): AnyObject | undefined {
  try {
    return deps.codec.decode(kind, entry);
  } catch (err) {
    deps.log.error({ err, key: entry.key }, 'a stored object could not be read');
    return undefined;
  }
}

function asOf(object: AnyObject, revision: number): AnyObject {
  const metadata = Object.freeze({ ...object.metadata, resourceVersion: String(revision) });
  return Object.freeze({ ...object, metadata });
}
