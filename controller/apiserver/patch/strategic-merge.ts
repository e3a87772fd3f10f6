import { childSchema, isObject } from '../../../api/normalize.ts';
import { isSame } from '../../../api/same.ts';
import type { Schema, Shape } from '../../../api/schema.ts';
import { StatusError } from '../../../api/status.ts';

type ListShape = Extract<Shape, { readonly kind: 'list' }>;
type ObjectMap = Readonly<Record<string, unknown>>;
type List = readonly unknown[];

/**
 * Kubernetes' strategic merge patch: as RFC 7386, but lists with keys are merged entry by entry, and directives
 * ($patch, $retainKeys, $setElementOrder, $deleteFromPrimitiveList) say what a plain merge can't.
 * Source: https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
 * @throws StatusError BadRequest for a directive that makes no sense.
 */
export function applyStrategicMergePatch(schema: Schema, target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) throw new StatusError('BadRequest', 'a patch must be an object');
  return mergeObject(schema, isObject(target) ? target : {}, patch);
}

function mergeObject(schema: Schema, target: ObjectMap, patch: ObjectMap): ObjectMap {
  const { $patch: directive, $retainKeys: retained, ...changes } = patch;
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'replace' && directive !== 'merge')
    throw new StatusError('BadRequest', `unknown patch directive ${JSON.stringify(directive)}`);
  const start = directive === 'replace' ? {} : retain(target, retained);
  const merged = new Map(Object.entries(start));
  for (const name of fieldsOf(changes)) {
    const before = merged.get(name);
    if (changes[name] === null) merged.delete(name);
    else merged.set(name, mergeField(childSchema(schema, name), before, changeOf(changes, name)));
  }
  return Object.fromEntries(merged);
}

const ORDER = '$setElementOrder/';
const DELETE = '$deleteFromPrimitiveList/';

/** The fields that a patch concerns, directives for lists among them. */
function fieldsOf(changes: ObjectMap): ReadonlySet<string> {
  const names = Object.keys(changes).map((name) =>
    name.startsWith(ORDER) || name.startsWith(DELETE) ? name.slice(name.indexOf('/') + 1) : name,
  );
  return new Set(names);
}

/** What a patch says about one field. */
interface FieldChange {
  /** undefined: only the directives. */
  readonly value: unknown;
  /** $setElementOrder: keys (or values) in the order that they shall have. */
  readonly order: List | undefined;
  /** $deleteFromPrimitiveList */
  readonly deletions: List;
}

function changeOf(changes: ObjectMap, name: string): FieldChange {
  const order = changes[`${ORDER}${name}`];
  const deletions = changes[`${DELETE}${name}`];
  if (order !== undefined && !Array.isArray(order)) throw notAList(`${ORDER}${name}`);
  if (deletions !== undefined && !Array.isArray(deletions)) throw notAList(`${DELETE}${name}`);
  return { value: changes[name], order, deletions: deletions ?? [] };
}

function mergeField(schema: Schema | undefined, target: unknown, change: FieldChange): unknown {
  const { value, order, deletions } = change;
  if (value === undefined && order === undefined && deletions.length === 0) return target;
  if (value === undefined || Array.isArray(value))
    return mergeList(listShapeOf(schema), Array.isArray(target) ? target : [], change);
  if (!isObject(value)) return value;
  return mergeObject(schema ?? ANYTHING, isObject(target) ? target : {}, value);
}

/** What the schema doesn't know is merged as plain JSON; the check of its shape will name it. */
const ANYTHING: Schema = { shape: { kind: 'json' }, presence: 'optional' };
const ANY_LIST: ListShape = {
  kind: 'list',
  item: ANYTHING,
  merge: { as: 'atomic' },
  max: Number.POSITIVE_INFINITY,
};

const listShapeOf = (schema: Schema | undefined): ListShape =>
  schema?.shape.kind === 'list' ? schema.shape : ANY_LIST;

function retain(target: ObjectMap, retained: unknown): ObjectMap {
  if (retained === undefined) return target;
  if (!Array.isArray(retained)) throw notAList('$retainKeys');
  return Object.fromEntries(Object.entries(target).filter(([name]) => retained.includes(name)));
}

const notAList = (what: string) => new StatusError('BadRequest', `${what} must be a list`);

function mergeList(shape: ListShape, target: List, { value, order, deletions }: FieldChange): List {
  const kept = target.filter((one) => !deletions.some((gone) => isSame(gone, one)));
  const merged = Array.isArray(value) ? mergeItems(shape, kept, value) : kept;
  return order === undefined ? merged : reorder(shape, merged, { order, target });
}

function mergeItems(shape: ListShape, target: List, items: List): List {
  if (shape.merge.as === 'set')
    return [...target, ...items.filter((item) => !target.some((one) => isSame(one, item)))];
  if (shape.merge.as === 'map' && !items.some(isReplace)) return mergeByKey(shape, target, items);
  return items
    .filter((item) => !isReplace(item))
    .map((item) => (isObject(item) ? mergeObject(shape.item, {}, item) : item));
}

/** `{$patch: replace}` as an entry of its own: the others are the whole list. */
const isReplace = (item: unknown) => isObject(item) && item.$patch === 'replace';

function mergeByKey(shape: ListShape, target: List, items: List): List {
  const merged = [...target];
  for (const item of items) {
    if (!isObject(item)) throw new StatusError('BadRequest', 'a patch of this list needs objects');
    const index = indexOfItem(shape, merged, item);
    const before = merged[index];
    if (item.$patch === 'delete') {
      if (index >= 0) merged.splice(index, 1);
    } else if (isObject(before)) merged[index] = mergeObject(shape.item, before, item);
    else merged.push(mergeObject(shape.item, {}, item));
  }
  return merged;
}

/**
 * Where the entry is that `wanted` speaks of, or -1. Of several keys the patch may leave out all but the first: then
 * the entry with the default is meant, or else the first that fits.
 */
function indexOfItem(shape: ListShape, list: List, wanted: ObjectMap): number {
  if (shape.merge.as !== 'map') return list.findIndex((one) => isSame(one, wanted));
  const { keys } = shape.merge;
  const [patchKey] = keys;
  if (wanted[patchKey] === undefined)
    throw new StatusError('BadRequest', `map: does not contain declared merge key: ${patchKey}`);
  const given = keys.filter((key) => wanted[key] !== undefined);
  const keyOf = (value: ObjectMap, key: string) =>
    value[key] ?? childSchema(shape.item, key)?.fallback;
  const fits = (one: unknown, names: readonly string[]) =>
    isObject(one) && names.every((key) => keyOf(one, key) === keyOf(wanted, key));
  const exact = list.findIndex((one) => fits(one, keys));
  return exact >= 0 ? exact : list.findIndex((one) => fits(one, given));
}

/**
 * The entries that the client named come in its order; the server's own keep their places among them as far as that
 * goes (Kubernetes' mergeSortedSlice).
 */
function reorder(
  shape: ListShape,
  merged: List,
  { order, target }: { readonly order: List; readonly target: List },
): List {
  const placeIn = (list: List, item: unknown) =>
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
