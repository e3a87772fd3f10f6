import { childSchema, isObject } from '../../../api/normalize.ts';
import { isSame } from '../../../api/same.ts';
import type { Schema, Shape } from '../../../api/schema.ts';
import { StatusError } from '../../../api/status.ts';

export type ListShape = Extract<Shape, { readonly kind: 'list' }>;
export type ObjectMap = Readonly<Record<string, unknown>>;

export interface ListPatch {
  /** undefined: only the directives. */
  readonly items: readonly unknown[] | undefined;
  /** $setElementOrder: keys (or values) in the order that they shall have. */
  readonly order: readonly unknown[] | undefined;
  /** $deleteFromPrimitiveList */
  readonly deletions: readonly unknown[];
  readonly merge: (item: Schema, before: ObjectMap, patch: ObjectMap) => ObjectMap;
}

export function strategicMergeList(
  shape: ListShape,
  target: readonly unknown[],
  patch: ListPatch,
): readonly unknown[] {
  const kept = target.filter((one) => !patch.deletions.some((gone) => isSame(gone, one)));
  const merged = mergeItems(shape, kept, patch);
  return patch.order === undefined
    ? merged
    : reorder(shape, merged, { order: patch.order, target });
}

function mergeItems(
  shape: ListShape,
  target: readonly unknown[],
  patch: ListPatch,
): readonly unknown[] {
  const { items } = patch;
  if (items === undefined) return target;
  if (shape.merge.as === 'set')
    return [...target, ...items.filter((item) => !target.some((one) => isSame(one, item)))];
  if (shape.merge.as === 'map' && !items.some(isReplace)) return mergeByKey(shape, target, patch);
  return items.filter((item) => !isReplace(item)).map((item) => freshItem(shape, item, patch));
}

/** `{$patch: replace}` as an entry of its own: the others are the whole list. */
const isReplace = (item: unknown) => isObject(item) && item.$patch === 'replace';

function freshItem(shape: ListShape, item: unknown, { merge }: ListPatch): unknown {
  return isObject(item) ? merge(shape.item, {}, item) : item;
}

function mergeByKey(
  shape: ListShape,
  target: readonly unknown[],
  { items = [], merge }: ListPatch,
): readonly unknown[] {
  const merged = [...target];
  for (const item of items) {
    if (!isObject(item)) throw new StatusError('BadRequest', 'a patch of this list needs objects');
    const index = indexOfItem(shape, merged, item);
    const before = merged[index];
    if (item.$patch === 'delete') {
      if (index >= 0) merged.splice(index, 1);
    } else if (isObject(before)) merged[index] = merge(shape.item, before, item);
    else merged.push(merge(shape.item, {}, item));
  }
  return merged;
}

/**
 * Where the entry is that `wanted` speaks of, or -1. Of several keys the patch may leave out all but the first: then
 * the entry with the default is meant, or else the first that fits.
 */
function indexOfItem(shape: ListShape, list: readonly unknown[], wanted: ObjectMap): number {
  if (shape.merge.as !== 'map') return list.findIndex((one) => isSame(one, wanted));
  const { keys, patchKey } = shape.merge;
  if (wanted[patchKey] === undefined)
    throw new StatusError('BadRequest', `map: does not contain declared merge key: ${patchKey}`);
  const given = keys.filter((key) => wanted[key] !== undefined);
  const fits = (one: unknown, names: readonly string[]) =>
    isObject(one) && names.every((key) => keyOf(shape, one, key) === keyOf(shape, wanted, key));
  const exact = list.findIndex((one) => fits(one, keys));
  return exact >= 0 ? exact : list.findIndex((one) => fits(one, given));
}

function keyOf({ item }: ListShape, value: ObjectMap, key: string): unknown {
  const fallback = childSchema(item, key)?.fallback;
  return value[key] ?? fallback;
}

/**
 * The entries that the client named come in its order; the server's own keep their places among them as far as that
 * goes (Kubernetes' mergeSortedSlice).
 */
function reorder(
  shape: ListShape,
  merged: readonly unknown[],
  { order, target }: { readonly order: readonly unknown[]; readonly target: readonly unknown[] },
): readonly unknown[] {
  const placeIn = (list: readonly unknown[], item: unknown) =>
    list.findIndex((one) => isSameItem(shape, one, item));
  const named = merged
    .filter((item) => placeIn(order, item) >= 0)
    .sort((a, b) => placeIn(order, a) - placeIn(order, b));
  const others = merged.filter((item) => placeIn(order, item) < 0);
  const result: unknown[] = [];
  for (const item of named) {
    const place = placeIn(target, item);
    while (others.length > 0 && place >= 0) {
      const otherPlace = placeIn(target, others[0]);
      if (otherPlace < 0 || otherPlace > place) break;
      result.push(others.shift());
    }
    result.push(item);
  }
  return [...result, ...others];
}

function isSameItem(shape: ListShape, a: unknown, b: unknown): boolean {
  if (shape.merge.as !== 'map' || !isObject(a) || !isObject(b)) return isSame(a, b);
  return shape.merge.keys
    .filter((key) => a[key] !== undefined && b[key] !== undefined)
    .every((key) => a[key] === b[key]);
}
