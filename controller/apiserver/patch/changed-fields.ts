import { childSchema, fillDefaults, isObject, own } from '../../../api/normalize.ts';
import { parseQuantity } from '../../../api/quantity.ts';
import { isSame } from '../../../api/same.ts';
import type { Schema } from '../../../api/schema.ts';
import { type FieldSet, isGranular, isLeaf, itemStep, mapSteps, unlessEmpty } from './field-set.ts';

/** Two values of one schema; undefined where there is nothing. */
export type Pair = Readonly<{ schema: Schema | undefined; live: unknown; next: unknown }>;

/** Those of `fields` that `next` gives another value than `live` has. */
export function changedFields(pair: Pair, fields: FieldSet): FieldSet {
  const follow = follower(pair);
  return mapSteps(fields, (step, inner) => {
    if (step === '.') return pair.live === undefined ? inner : undefined;
    const deeper = follow(step);
    if (isLeaf(inner)) return differ(deeper) ? inner : undefined;
    return unlessEmpty(changedFields(deeper, inner));
  });
}

/** Knows the entries of lists by their steps: looking for each of thousands would take minutes. */
function follower({ schema, live, next }: Pair): (step: string) => Pair {
  const item = schema?.shape.kind === 'list' ? schema.shape.item : undefined;
  const entriesOf = (list: unknown) =>
    new Map(item && Array.isArray(list) ? list.map((one) => [itemStep(schema, one), one]) : []);
  const [ofLive, ofNext] = [entriesOf(live), entriesOf(next)];
  return (step) => {
    if (!step.startsWith('f:'))
      return { schema: item, live: ofLive.get(step), next: ofNext.get(step) };
    const name = step.slice(2);
    const inner = childSchema(schema, name);
    return { schema: inner, live: fieldOf(live, name), next: fieldOf(next, name) };
  };
}

const fieldOf = (value: unknown, name: string): unknown =>
  isObject(value) ? own(value, name) : undefined;

/** "0.5" and "500m" are the same cpu. */
function differ({ schema, live, next }: Pair): boolean {
  // An empty map says nothing of what others put into it.
  if (isGranular(schema) && isSame(next, {})) return false;
  if (schema?.shape.kind === 'quantity') return nanoOf(live) !== nanoOf(next);
  return !isSame(live, schema === undefined ? next : fillDefaults(schema, next));
}

const nanoOf = (value: unknown) =>
  typeof value === 'string' || typeof value === 'number' ? parseQuantity(value)?.nano : undefined;
