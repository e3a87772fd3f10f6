import { CustomResourceDefinition } from '../../api/custom-resource-definition.ts';
import type { AnyObject, Kind } from '../../api/kind.ts';
import { backoffMs, withJitter } from '../../base/backoff.ts';
import type { Base } from '../../base/base.ts';
import { sleep } from '../../base/clock.ts';
import { orAborted } from '../../base/deadline.ts';
import { type CacheState, type CacheTables, cacheState, cacheTables } from './cache-state.ts';
import { keyOf, kindPrefix, objectsPrefix, parseStoreKey, storeKey } from './keys.ts';
import type { ObjectCodec } from './object-codec.ts';
import type { Index, ObjectChange } from './objects.ts';
import { servedKinds } from './served-kinds.ts';
import type { Entry, Store, StoreChange } from './store.ts';

export interface CacheDeps extends Base {
  readonly store: Store;
  readonly codec: ObjectCodec;
  /** Those that are built in; the others are defined by objects. */
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
  const served = servedKinds(deps.kinds);
  const tables = cacheTables(served.kinds, deps.indexes);
  const state = cacheState(tables, deps.rememberedChanges ?? 1000, deps.log);
  const stopping = new AbortController();
  const { signal } = stopping;
  const feeder: Feeder = { deps, served, tables, state, signal };
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
  readonly served: ReturnType<typeof servedKinds>;
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
  const { deps, served, tables, state, signal } = feeder;
  const { entries, revision } = await orAborted(deps.store.list(objectsPrefix), signal);
  const stored = new Set(entries.map(({ key }) => key));
  // Objects go before their definition does, and come after it.
  const gone = served.kinds.all.toReversed().flatMap((kind) =>
    tables.list(kind).flatMap((object) => {
      const key = storeKey(kind, keyOf(object));
      return stored.has(key) ? [] : changeOf(feeder, { key, revision, value: undefined });
    }),
  );
  const isDefinition = ({ key }: Entry) => key.startsWith(kindPrefix(CustomResourceDefinition));
  const inOrder = entries.toSorted((a, b) => Number(isDefinition(b)) - Number(isDefinition(a)));
  const changes = [...gone, ...inOrder.flatMap((entry) => changeOf(feeder, entry))];
  changes.sort((a, b) => a.revision - b.revision);
  state.appliedAfterGap(changes, revision);
}

async function follow(feeder: Feeder): Promise<void> {
  const { deps, state, signal } = feeder;
  const watch = { after: state.cache.revision, signal };
  for await (const batch of deps.store.watch(watchedPrefix, watch)) {
    const revision = batch.at(-1)?.revision ?? state.cache.revision;
    const changes = batch.flatMap((change) => changeOf(feeder, change));
    for (const { kind, object } of changes)
      if (kind === CustomResourceDefinition && object) await takeLeft(feeder, object);
    state.applied(changes, revision);
  }
}

/** Objects whose definition went without them; now it has come again. Later ones come by the watch. */
async function takeLeft(feeder: Feeder, definition: AnyObject): Promise<void> {
  const { deps, served, signal } = feeder;
  const kind = served.by(definition as CustomResourceDefinition);
  if (!kind) return;
  const { entries } = await orAborted(deps.store.list(kindPrefix(kind)), signal);
  const { resourceVersion } = definition.metadata;
  for (const entry of entries)
    if (entry.revision < Number(resourceVersion)) changeOf(feeder, entry);
}

/** Takes what is stored, or no longer, into the tables; empty: nothing is new to their readers. */
function changeOf(
  feeder: Feeder,
  { key: at, value, revision }: Pick<StoreChange, 'key' | 'value' | 'revision'>,
): readonly ObjectChange[] {
  const { deps, tables, served } = feeder;
  const parsed = parseStoreKey(served.kinds, at);
  if (!parsed) return [];
  const { kind, key } = parsed;
  if (tables.get(kind, key)?.metadata.resourceVersion === String(revision)) return [];
  const object = value && decoded(deps, kind, { key: at, value, revision });
  if (value && !object) return [];
  const previous = tables.replace(kind, key, object);
  if (kind === CustomResourceDefinition) redefine(feeder, previous, object);
  if (object) return [{ kind, key, revision, object, previous }];
  return previous ? [{ kind, key, revision, object, previous: asOf(previous, revision) }] : [];
}

/** What is left of a kind that is no longer served goes out of the indexes, too. */
function redefine({ deps, served, tables }: Feeder, before?: AnyObject, after?: AnyObject): void {
  type Definition = CustomResourceDefinition | undefined;
  try {
    const gone = served.follow(before as Definition, after as Definition);
    if (!gone) return;
    for (const object of tables.list(gone)) tables.replace(gone, keyOf(object), undefined);
  } catch (err) {
    const key = after?.metadata.name ?? '';
    deps.log.error({ err, key }, 'a stored definition could not be read');
  }
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
