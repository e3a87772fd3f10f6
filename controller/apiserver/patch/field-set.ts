import { itemKey } from '../../../api/check-shape.ts';
import { childSchema, isObject, own } from '../../../api/normalize.ts';
import type { Schema } from '../../../api/schema.ts';

/**
 * A set of fields in the form of metav1.FieldsV1: {"f:spec": {"f:replicas": {}}}. Steps: `f:NAME` a field or a map's
 * key, `k:{…}` an entry of a list by its keys, `v:…` an entry of a set; "." the thing itself.
 */
export interface FieldSet {
  readonly [step: string]: FieldSet;
}

/** Every field that a value sets. Lists without keys, empty objects and scalars are one field each. */
export function fieldsOf(schema: Schema | undefined, value: unknown): FieldSet {
  if (isObject(value) && isGranular(schema))
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [
        `f:${name}`,
        fieldsOf(childSchema(schema, name), inner),
      ]),
    );
  const shape = schema?.shape;
  if (!Array.isArray(value) || shape?.kind !== 'list' || shape.merge.as === 'atomic') return {};
  const isSet = shape.merge.as === 'set';
  return Object.fromEntries(
    value.map((item: unknown) => [
      itemStep(schema, item),
      isSet ? {} : { '.': {}, ...fieldsOf(shape.item, item) },
    ]),
  );
}

/** The step that leads to an entry of a list with keys. */
export function itemStep(schema: Schema | undefined, item: unknown): string {
  const shape = schema?.shape;
  if (shape?.kind !== 'list') return '';
  if (shape.merge.as === 'set') return `v:${JSON.stringify(item)}`;
  const key = itemKey(shape, item);
  const sorted = isObject(key) ? Object.fromEntries(Object.entries(key).sort(byName)) : key;
  return `k:${JSON.stringify(sorted)}`;
}

const byName = ([a]: [string, unknown], [b]: [string, unknown]) => (a < b ? -1 : a > b ? 1 : 0);

/** Merged field by field; what else there is belongs to its owner as a whole. */
export function isGranular(schema: Schema | undefined): boolean {
  const shape = schema?.shape;
  return (shape?.kind === 'object' || shape?.kind === 'map') && !shape.atomic;
}

export const isLeaf = (set: FieldSet): boolean => Object.keys(set).length === 0;

/** In `a` and in no other: field by field. */
export const without = (a: FieldSet, others: readonly FieldSet[]): FieldSet =>
  mapSteps(a, (step, inner) => {
    const theirs = others.flatMap((set) => own(set, step) ?? []);
    if (theirs.length === 0) return inner;
    return isLeaf(inner) ? undefined : unlessEmpty(without(inner, theirs));
  });

/** In one of them, or in several. */
export function union(sets: readonly FieldSet[]): FieldSet {
  const bySteps = Map.groupBy(sets.flatMap(Object.entries<FieldSet>), ([step]) => step);
  const inner = [...bySteps].map(([step, same]) => [step, union(same.map(([, set]) => set))]);
  return Object.fromEntries(inner);
}

/** In both: field by field. */
export const intersection = (a: FieldSet, b: FieldSet): FieldSet =>
  mapSteps(a, (step, inner) => {
    const theirs = own(b, step);
    if (theirs === undefined || isLeaf(inner) !== isLeaf(theirs)) return undefined;
    return isLeaf(inner) ? inner : unlessEmpty(intersection(inner, theirs));
  });

export const unlessEmpty = (set: FieldSet) => (isLeaf(set) ? undefined : set);

/** Who has a field in an entry of a list holds the entry. */
export const withEntries = (set: FieldSet): FieldSet =>
  mapSteps(set, (step, inner) =>
    step.startsWith('k:') ? { '.': {}, ...withEntries(inner) } : withEntries(inner),
  );

/** A step of which nothing is left goes. */
export function mapSteps(
  set: FieldSet,
  change: (step: string, inner: FieldSet) => FieldSet | undefined,
): FieldSet {
  const entries = Object.entries(set).map(([step, inner]) => [step, change(step, inner)] as const);
  return Object.fromEntries(entries.flatMap(([step, inner]) => (inner ? [[step, inner]] : [])));
}
