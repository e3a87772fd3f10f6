import type { AnyObject, Kind } from '../../api/kind.ts';
import { backoffMs, withJitter } from '../../base/backoff.ts';
import type { Base } from '../../base/base.ts';
import { sleep } from '../../base/clock.ts';
import { orAborted } from '../../base/deadline.ts';
import type { Cache, Index, ObjectChange } from './cache.ts';
import { type CacheState, cacheState } from './cache-state.ts';
import { type CacheTables, cacheTables } from './cache-tables.ts';
import { keyParser, objectsPrefix, type ParsedKey } from './keys.ts';
import type { EncodedObject, ObjectCodec } from './object-codec.ts';
import type { Store, StoreChange } from './store.ts';

export interface CacheDeps extends Base {
  readonly store: Store;
  readonly codec: ObjectCodec;
  readonly kinds: readonly Kind[];
  readonly indexes: readonly Index[];
  /** How many changes watches can resume from, at least. Default 1,000; each holds an object as it was. */
  readonly rememberedChanges?: number;
}

export interface RunningCache {
  readonly cache: Cache;
  stop(): Promise<void>;
}

/** The whole key space, so that the cache's revision is the store's even when no object changes. */
const watchedPrefix = '/';

const relistBackoff = { firstMs: 50, capMs: 5000 };

/** Resolves once the cache holds everything; from then on it follows the store, whatever happens to the watch. */
export async function startCache(deps: CacheDeps): Promise<RunningCache> {
  const tables = cacheTables(deps.kinds, deps.indexes);
  const { rememberedChanges = 1000, log } = deps;
  const state = cacheState({ tables, rememberedChanges, log });
  const stopping = new AbortController();
  const feeder: Feeder = {
    deps,
    tables,
    state,
    parseKey: keyParser(deps.kinds),
    signal: stopping.signal,
  };
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
  readonly parseKey: (key: string) => ParsedKey | undefined;
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
  const { deps, tables, state, parseKey, signal } = feeder;
  const { entries, revision } = await orAborted(deps.store.list(objectsPrefix), signal);
  const changes: ObjectChange[] = [];
  const gone = new Map(tables.all().map((row) => [row.storeKey, row]));
  for (const entry of entries) {
    gone.delete(entry.key);
    const parsed = parseKey(entry.key);
    const object = parsed && decoded(deps, parsed.kind, entry);
    if (!object) continue;
    const known = tables.get(parsed.kind, parsed.key)?.metadata.resourceVersion;
    if (known !== object.metadata.resourceVersion) changes.push(put(tables, parsed, object));
  }
  for (const row of gone.values()) changes.push(...drop(tables, row, revision));
  changes.sort((a, b) => a.revision - b.revision);
  state.appliedAfterGap(changes, revision);
}

async function follow({ deps, tables, state, parseKey, signal }: Feeder): Promise<void> {
  const changeOf = (change: StoreChange): readonly ObjectChange[] => {
    const { key, value, revision } = change;
    const parsed = parseKey(key);
    if (!parsed) return [];
    if (!value) return drop(tables, parsed, revision);
    const object = decoded(deps, parsed.kind, { key, value, revision });
    return object ? [put(tables, parsed, object)] : [];
  };
  const watch = { after: state.cache.revision, signal };
  for await (const batch of deps.store.watch(watchedPrefix, watch)) {
    const revision = batch.at(-1)?.revision ?? state.cache.revision;
    state.applied(batch.flatMap(changeOf), revision);
  }
}

/** An unreadable object must not keep all the others from their readers. */
function decoded(deps: CacheDeps, kind: Kind, entry: EncodedObject): AnyObject | undefined {
  try {
    return deps.codec.decode(kind, entry);
  } catch (err) {
    deps.log.error({ err, key: entry.key }, 'a stored object could not be read');
    return undefined;
  }
}

function put(tables: CacheTables, { kind, key }: ParsedKey, object: AnyObject): ObjectChange {
  const previous = tables.set(kind, key, object);
  return { kind, key, revision: Number(object.metadata.resourceVersion), object, previous };
}

function drop(
  tables: CacheTables,
  { kind, key }: ParsedKey,
  revision: number,
): readonly ObjectChange[] {
  const last = tables.delete(kind, key);
  if (!last) return [];
  const metadata = Object.freeze({ ...last.metadata, resourceVersion: String(revision) });
  const previous = Object.freeze({ ...last, metadata });
  return [{ kind, key, revision, object: undefined, previous }];
}
