import { itemKey } from '../../../api/check-shape.ts';
import { childSchema, isObject, own } from '../../../api/normalize.ts';
import type { Schema } from '../../../api/schema.ts';
import { type FieldSet, isGranular, isLeaf, itemStep } from './field-set.ts';

/** Everything of `applied` put into `live`: objects and maps by field, lists by their keys, sets united. */
export function mergeApplied(schema: Schema | undefined, live: unknown, applied: unknown): unknown {
  if (isObject(live) && isObject(applied) && isGranular(schema)) {
    const merged = new Map(Object.entries(live));
    for (const [name, inner] of Object.entries(applied))
      merged.set(name, mergeApplied(childSchema(schema, name), merged.get(name), inner));
    return Object.fromEntries(merged);
  }
  if (Array.isArray(live) && Array.isArray(applied)) return mergeList(schema, live, applied);
  return applied;
}

/** What is there without some of its fields; an object that becomes empty by it goes too. */
export function removeFields(schema: Schema | undefined, value: unknown, gone: FieldSet): unknown {
  if (Array.isArray(value)) return removeFromList(schema, value, gone);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).flatMap(([name, inner]): [string, unknown][] => {
    const set = own(gone, `f:${name}`);
    if (set === undefined) return [[name, inner]];
    if (isLeaf(set)) return [];
    const rest = removeFields(childSchema(schema, name), inner, set);
    return isEmpty(rest) ? [] : [[name, rest]];
  });
  return Object.fromEntries(entries);
}

const isEmpty = (value: unknown): boolean =>
  Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0;

/** The applied entries in their own order where they were before; new ones behind. */
function mergeList(
  schema: Schema | undefined,
  live: readonly unknown[],
  applied: readonly unknown[],
): unknown {
  const shape = schema?.shape;
  if (shape?.kind !== 'list' || shape.merge.as === 'atomic') return applied;
  const wanted = new Map(applied.map((item) => [itemStep(schema, item), item]));
  const kept = live.map((item) => {
    const step = itemStep(schema, item);
    const change = wanted.get(step);
    if (!wanted.delete(step)) return item;
    return mergeApplied(shape.item, item, change);
  });
  return [...kept, ...wanted.values()];
}

/** An entry goes as such ("."), or keeps what tells it from the others. */
function removeFromList(schema: Schema | undefined, list: readonly unknown[], gone: FieldSet) {
  const shape = schema?.shape;
  if (shape?.kind !== 'list') return list;
  return list.flatMap((one) => {
    const set = own(gone, itemStep(schema, one));
    if (set === undefined) return [one];
    if (isLeaf(set) || Object.hasOwn(set, '.')) return [];
    return [Object.assign({}, removeFields(shape.item, one, set), itemKey(shape, one))];
  });
}
