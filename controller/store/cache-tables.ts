import assert from 'node:assert';
import type { AnyObject, Kind, KubeObject } from '../../api/kind.ts';
import type { Fields } from '../../api/schema.ts';
import { type OrderedMap, orderedMap } from '../../base/ordered-map.ts';
import type { CacheReads, Index } from './cache.ts';
import type { ObjectKey } from './objects.ts';

/** The objects of a cache by kind and key, with their indexes. */
export interface CacheTables extends CacheReads {
  /** undefined: it goes. Returns what was there before. */
  replace(kind: Kind, key: ObjectKey, after: AnyObject | undefined): AnyObject | undefined;
}

type Table<T = AnyObject> = OrderedMap<T>;

export function cacheTables(kinds: readonly Kind[], indexes: readonly Index[]): CacheTables {
  const tables = new Map<Kind, Table>(kinds.map((kind) => [kind, orderedMap()]));
  const indexed = new Map<Index, Map<string, Table>>(indexes.map((index) => [index, new Map()]));

  /** A table holds what was stored as its kind: here that becomes a type. */
  const tableOf = <F extends Fields>(kind: Kind<F>) => {
    const table = tables.get(kind);
    assert(table, `${kind.kind} is not in this cache`);
    return table as Table<KubeObject<F>>;
  };
  const byValueOf = <F extends Fields>(index: Index<F>) => {
    const byValue = indexed.get(index);
    assert(byValue, `the cache was not given the index ${index.name}`);
    return byValue as Map<string, Table<KubeObject<F>>>;
  };

  return {
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
      for (const index of indexes.filter((candidate) => candidate.kind === kind)) {
        const byValue: Map<string, Table> = byValueOf(index);
        for (const value of valuesOf(index, before)) removeFrom(byValue, value, at);
        for (const value of valuesOf(index, after))
          tableFor(byValue, value).set(at, after as AnyObject);
      }
      return before;
    },
  };
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
