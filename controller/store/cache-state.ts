import assert from 'node:assert';
import type { AnyObject, Kind, KubeObject } from '../../api/kind.ts';
import type { Fields } from '../../api/schema.ts';
import { orAborted } from '../../base/deadline.ts';
import type { Log } from '../../base/log.ts';
import { type OrderedMap, orderedMap } from '../../base/ordered-map.ts';
import { kindPrefix } from './keys.ts';
import type { Cache, CacheReads, Index, ObjectChange, ObjectKey, ServedKinds } from './objects.ts';

/** What readers see of the cache; the feeder (object-cache.ts) fills the tables and says so here. */
export type CacheState = ReturnType<typeof cacheState>;

export function cacheState(tables: CacheTables, rememberedChanges: number, log: Log) {
  const ring = changeRing(rememberedChanges);
  const listeners = new Set<(change: ObjectChange) => void>();
  /** With the revision that each waits for. */
  const waiting = new Map<PromiseWithResolvers<void>, number>();
  let revision = 0;

  const tell = (change: ObjectChange) => {
    for (const listener of listeners) {
      try {
        listener(change);
      } catch (err) {
        log.error({ err, key: change.key.name }, 'a listener of the cache failed');
      }
    }
  };
  const advance = (changes: readonly ObjectChange[], to: number) => {
    revision = to;
    for (const change of changes) tell(change);
    for (const [arrived, wanted] of waiting) if (wanted <= to) arrived.resolve();
  };

  const cache: Cache = {
    get: (kind, key) => tables.get(kind, key),
    list: (kind, namespace) => tables.list(kind, namespace),
    byIndex: (index, value) => tables.byIndex(index, value),
    kinds: tables.kinds,
    get revision() {
      return revision;
    },
    async reached(wanted, signal) {
      if (wanted <= revision) return;
      const arrived = Promise.withResolvers<void>();
      waiting.set(arrived, wanted);
      try {
        await (signal ? orAborted(arrived.promise, signal) : arrived.promise);
      } finally {
        waiting.delete(arrived);
      }
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    changesSince: (since) => ring.since(since),
  };
  return {
    cache,
    /** The tables hold these changes and are as of this revision. */
    applied(changes: readonly ObjectChange[], to: number) {
      for (const change of changes) ring.add(change);
      advance(changes, to);
    },
    /** The same, but with a gap before: watches can't resume from before it. */
    appliedAfterGap(changes: readonly ObjectChange[], to: number) {
      ring.reset(to);
      advance(changes, to);
    },
  };
}

/** The newest changes, for watches that resume. */
function changeRing(limit: number) {
  let changes: ObjectChange[] = [];
  let knownAfter = 0;
  return {
    add(change: ObjectChange) {
      changes.push(change);
      if (changes.length < 2 * limit) return;
      const dropped = changes.length - limit;
      knownAfter = changes[dropped - 1]?.revision ?? knownAfter;
      changes = changes.slice(dropped);
    },
    /** undefined: some of them are forgotten. */
    since(revision: number): readonly ObjectChange[] | undefined {
      if (revision < knownAfter) return undefined;
      const last = changes.findLastIndex((change) => change.revision <= revision);
      return changes.slice(last + 1);
    },
    /** Forgets everything; what comes next is later than this revision. */
    reset(revision: number) {
      changes = [];
      knownAfter = revision;
    },
  };
}

/** The objects of a cache by kind and key, with their indexes. */
export interface CacheTables extends CacheReads {
  readonly kinds: ServedKinds;
  /** undefined: it goes. Returns what was there before. */
  replace(kind: Kind, key: ObjectKey, after: AnyObject | undefined): AnyObject | undefined;
}

type Table<T = AnyObject> = OrderedMap<T>;

export function cacheTables(kinds: ServedKinds, indexes: readonly Index[]): CacheTables {
  // What has no definition any more takes its table along.
  const tables = new WeakMap<Kind, Table>();
  const indexed = new Map<Index, Map<string, Table>>(indexes.map((index) => [index, new Map()]));

  /** A table holds what was stored as its kind: here that becomes a type. */
  const tableOf = <F extends Fields>(kind: Kind<F>) => {
    const newTable = () => {
      assert(kind.defined || kinds.has(kind), `${kind.kind} is not in this cache`);
      return orderedMap<AnyObject>();
    };
    return tables.getOrInsertComputed(kind, newTable) as Table<KubeObject<F>>;
  };
  const byValueOf = <F extends Fields>(index: Index<F>) => {
    const byValue = indexed.get(index);
    assert(byValue, `the cache was not given the index ${index.name}`);
    return byValue as Map<string, Table<KubeObject<F>>>;
  };

  return {
    kinds,
    get: (kind, key) => tableOf(kind).get(orderKey(key)),
    list: (kind, namespace) => [
      ...tableOf(kind).startingWith(namespace === undefined ? '' : `${namespace}\0`),
    ],
    byIndex: (index, value) => [...(byValueOf(index).get(value)?.startingWith('') ?? [])],
    replace(kind, key, after) {
      const at = orderKey(key);
      const table: Table = tableOf(kind);
      const before = table.get(at);
      if (after) table.set(at, after);
      else table.delete(at);
      const place = kindPrefix(kind) + at;
      for (const index of indexes.filter((candidate) => (candidate.kind ?? kind) === kind)) {
        const byValue: Map<string, Table> = byValueOf(index);
        for (const value of valuesOf(index, before)) removeFrom(byValue, value, place);
        for (const value of valuesOf(index, after))
          byValue.getOrInsertComputed(value, () => orderedMap()).set(place, after as AnyObject);
      }
      return before;
    },
  };
}

/** NUL sorts before every character of a name, so this is the order by namespace, then name. */
const orderKey = ({ namespace, name }: ObjectKey) => `${namespace}\0${name}`;

const valuesOf = (index: Index, object: AnyObject | undefined): readonly string[] =>
  object ? index.valuesOf(object as KubeObject) : [];

function removeFrom(byValue: Map<string, Table>, value: string, at: string): void {
  const table = byValue.get(value);
  table?.delete(at);
  if (table?.size === 0) byValue.delete(value);
}
