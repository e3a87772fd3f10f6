import assert from 'node:assert';
import type { AnyObject, Kind, KubeObject } from '../../api/kind.ts';
import { type OrderedMap, orderedMap } from '../../base/ordered-map.ts';
import type { Index } from './cache.ts';
import { storeKey } from './keys.ts';
import type { ObjectKey } from './objects.ts';

/** The objects of a cache by kind and key, with their indexes. */
export interface CacheTables {
  get(kind: Kind, key: ObjectKey): AnyObject | undefined;
  list(kind: Kind, namespace?: string): readonly AnyObject[];
  byIndex(index: Index, value: string): readonly AnyObject[];
  all(): readonly CachedRow[];
  /** Returns what was there before. */
  set(kind: Kind, key: ObjectKey, object: AnyObject): AnyObject | undefined;
  delete(kind: Kind, key: ObjectKey): AnyObject | undefined;
}

interface CachedRow {
  readonly kind: Kind;
  readonly key: ObjectKey;
  readonly storeKey: string;
}

type Table = OrderedMap<AnyObject>;

export function cacheTables(kinds: readonly Kind[], indexes: readonly Index[]): CacheTables {
  const tables = new Map<Kind, Table>(kinds.map((kind) => [kind, orderedMap()]));
  const indexed = new Map<Index, Map<string, Table>>(indexes.map((index) => [index, new Map()]));
  const indexesOf = (kind: Kind) => indexes.filter((index) => index.kind === kind);

  const tableOf = (kind: Kind): Table => {
    const table = tables.get(kind);
    assert(table, `${kind.kind} is not in this cache`);
    return table;
  };

  const reindex = (kind: Kind, key: ObjectKey, change: Replacement) => {
    const at = orderKey(key);
    for (const index of indexesOf(kind)) {
      const byValue = indexed.get(index) as Map<string, Table>;
      for (const value of valuesOf(index, change.before)) removeFrom(byValue, value, at);
      for (const value of valuesOf(index, change.after))
        tableFor(byValue, value).set(at, change.after as AnyObject);
    }
  };

  return {
    get: (kind, key) => tableOf(kind).get(orderKey(key)),
    list: (kind, namespace) => [
      ...tableOf(kind).startingWith(namespace === undefined ? '' : `${namespace}\0`),
    ],
    byIndex(index, value) {
      const byValue = indexed.get(index);
      assert(byValue, `the cache was not given the index ${index.name}`);
      return [...(byValue.get(value)?.startingWith('') ?? [])];
    },
    all: () => [...tables].flatMap(([kind, table]) => rowsOf(kind, table)),
    set(kind, key, object) {
      const before = tableOf(kind).get(orderKey(key));
      tableOf(kind).set(orderKey(key), object);
      reindex(kind, key, { before, after: object });
      return before;
    },
    delete(kind, key) {
      const before = tableOf(kind).get(orderKey(key));
      tableOf(kind).delete(orderKey(key));
      reindex(kind, key, { before, after: undefined });
      return before;
    },
  };
}

interface Replacement {
  readonly before: AnyObject | undefined;
  readonly after: AnyObject | undefined;
}

/** NUL sorts before every character of a name, so this is the order by namespace, then name. */
const orderKey = ({ namespace, name }: ObjectKey) => `${namespace}\0${name}`;

function valuesOf(index: Index, object: AnyObject | undefined): readonly string[] {
  return object ? index.valuesOf(object as KubeObject) : [];
}

function tableFor(byValue: Map<string, Table>, value: string): Table {
  const found = byValue.get(value) ?? orderedMap<AnyObject>();
  byValue.set(value, found);
  return found;
}

function removeFrom(byValue: Map<string, Table>, value: string, at: string): void {
  const table = byValue.get(value);
  table?.delete(at);
  if (table?.size === 0) byValue.delete(value);
}

function rowsOf(kind: Kind, table: Table): readonly CachedRow[] {
  return [...table.startingWith('')].map(({ metadata }) => {
    const key = { namespace: metadata.namespace ?? '', name: metadata.name };
    return { kind, key, storeKey: storeKey(kind, key) };
  });
}
