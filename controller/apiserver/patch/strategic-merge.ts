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
  const gone = placesIn(ANY_LIST, deletions);
  const kept = target.filter((one) => gone.of(one).length === 0);
  const items = Array.isArray(value) ? value : [];
  const merged = Array.isArray(value) ? mergeItems(shape, kept, items) : kept;
  const isWhole = shape.merge.as === 'atomic' || items.some(isReplace);
  return reorder(shape, merged, { order: order ?? (isWhole ? [] : items), target });
}

function mergeItems(shape: ListShape, target: List, items: List): List {
  if (shape.merge.as === 'set') {
    const present = placesIn(shape, target);
    return [...target, ...items.filter((item) => present.of(item).length === 0)];
  }
  if (shape.merge.as === 'map' && !items.some(isReplace)) return mergeByKey(shape, target, items);
  return items
    .filter((item) => !isReplace(item))
    .map((item) => (isObject(item) ? mergeObject(shape.item, {}, item) : item));
}

/** `{$patch: replace}` as an entry of its own: the others are the whole list. */
const isReplace = (item: unknown) => isObject(item) && item.$patch === 'replace';

function mergeByKey(shape: ListShape, target: List, items: List): List {
  const merged: unknown[] = [...target];
  const places = placesIn(shape, merged);
  for (const item of items) {
    if (!isObject(item)) throw new StatusError('BadRequest', 'a patch of this list needs objects');
    const candidates = places.of(item);
    const index =
      candidates[
        indexOfItem(
          shape,
          candidates.map((at) => merged[at]),
          item,
        )
      ];
    if (item.$patch === 'delete') {
      if (index !== undefined) merged[index] = GONE;
    } else if (index === undefined) {
      places.add(merged.push(mergeObject(shape.item, {}, item)) - 1);
    } else merged[index] = mergeObject(shape.item, merged[index] as ObjectMap, item);
  }
  return merged.filter((item) => item !== GONE);
}

const GONE = Symbol('gone');

/** With one first key: of a port there are as many as protocols. Each is compared with each. */
const maxAlike = 100;

/**
 * Where in a list those entries are that may be meant: they have the same first key, or in a set are the same. Without it lists of
 * thousands would take seconds.
 */
function placesIn({ merge }: ListShape, list: List) {
  const idOf = (item: unknown) =>
    JSON.stringify(merge.as === 'map' && isObject(item) ? item[merge.keys[0]] : item) ?? '';
  const places = Map.groupBy(list.keys(), (at) => idOf(list[at]));
  return {
    of(item: unknown): readonly number[] {
      const found = places.get(idOf(item)) ?? [];
      if (merge.as === 'map' && found.length > maxAlike)
        throw new StatusError('BadRequest', `too many entries of one ${merge.keys[0]}`);
      return found;
    },
    add: (at: number) => void places.getOrInsertComputed(idOf(list[at]), () => []).push(at),
  };
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
 * The entries that the client named come in its order, $setElementOrder's or else that of the patch itself; the server's
 * own keep their places among them as far as that goes, behind those that are new (Kubernetes' mergeSortedSlice).
 */
function reorder(
  shape: ListShape,
  merged: List,
  { order, target }: { readonly order: List; readonly target: List },
): List {
  const finder = (list: List) => {
    const places = placesIn(shape, list);
    return (item: unknown) => places.of(item).find((at) => isSameItem(shape, list[at], item)) ?? -1;
  };
  const [inOrder, inTarget] = [finder(order), finder(target)];
  const all = merged.map((item) => ({ item, wanted: inOrder(item), was: inTarget(item) }));
  const named = all.filter(({ wanted }) => wanted >= 0).sort((a, b) => a.wanted - b.wanted);
  const others = all.filter(({ wanted }) => wanted < 0).reverse();
  const result: unknown[] = [];
  for (const { item, was } of named) {
    for (let next = others.at(-1); next && was >= 0; next = others.at(-1)) {
      if (next.was < 0 || next.was > was) break;
      result.push(others.pop()?.item);
    }
    result.push(item);
  }
  return [...result, ...others.reverse().map(({ item }) => item)];
}

function isSameItem(shape: ListShape, a: unknown, b: unknown): boolean {
  if (shape.merge.as !== 'map' || !isObject(a) || !isObject(b)) return isSame(a, b);
  return shape.merge.keys
    .filter((key) => a[key] !== undefined && b[key] !== undefined)
    .every((key) => a[key] === b[key]);
}
