import { childSchema, fillDefaults, isObject, own } from '../../../api/normalize.ts';
import { parseQuantity } from '../../../api/quantity.ts';
import { isSame } from '../../../api/same.ts';
import type { Schema } from '../../../api/schema.ts';
import { type FieldSet, intersection, isGranular, itemStep } from './field-set.ts';

export interface Conflict {
  readonly manager: string;
  /** As Kubernetes writes it: .spec.template.spec.containers[name="web"].image */
  readonly path: string;
  readonly fields: FieldSet;
}

interface Contest {
  readonly live: unknown;
  readonly applied: unknown;
  readonly owned: FieldSet;
  readonly others: readonly { readonly manager: string; readonly fieldsV1: FieldSet }[];
}

/** Fields that another manager holds and that would get another value. The same value is shared in peace. */
export const conflictsWith = (schema: Schema, { live, applied, owned, others }: Contest) =>
  others.flatMap(({ manager, fieldsV1 }) =>
    differences({ schema, live, applied }, intersection(owned, fieldsV1)).map((steps) => ({
      manager,
      path: formatSteps(steps),
      fields: steps.reduceRight<FieldSet>((inner, step) => ({ [step]: inner }), {}),
    })),
  );

type Pair = Readonly<{ schema: Schema | undefined; live: unknown; applied: unknown }>;

function differences(pair: Pair, shared: FieldSet): readonly (readonly string[])[] {
  const follow = follower(pair);
  return Object.entries(shared).flatMap(([step, inner]) => {
    if (step === '.') return [];
    const next = follow(step);
    const deeper = differences(next, inner).map((steps) => [step, ...steps]);
    const isEnd = Object.keys(inner).length === 0;
    return isEnd && differ(next) ? [[step]] : deeper;
  });
}

/** Knows the entries of lists by their steps: looking for each of thousands would take minutes. */
function follower({ schema, live, applied }: Pair): (step: string) => Pair {
  const item = schema?.shape.kind === 'list' ? schema.shape.item : undefined;
  const entriesOf = (list: unknown) =>
    new Map(item && Array.isArray(list) ? list.map((one) => [itemStep(schema, one), one]) : []);
  const [ofLive, ofApplied] = [entriesOf(live), entriesOf(applied)];
  return (step) => {
    if (!step.startsWith('f:'))
      return { schema: item, live: ofLive.get(step), applied: ofApplied.get(step) };
    const name = step.slice(2);
    const inner = childSchema(schema, name);
    return { schema: inner, live: fieldOf(live, name), applied: fieldOf(applied, name) };
  };
}

const fieldOf = (value: unknown, name: string): unknown =>
  isObject(value) ? own(value, name) : undefined;

/** "0.5" and "500m" are the same cpu. */
function differ({ schema, live, applied }: Pair): boolean {
  // An empty map says nothing of what others put into it.
  if (isGranular(schema) && isSame(applied, {})) return false;
  if (schema?.shape.kind === 'quantity') return nanoOf(live) !== nanoOf(applied);
  return !isSame(live, schema === undefined ? applied : fillDefaults(schema, applied));
}

const nanoOf = (value: unknown) =>
  typeof value === 'string' || typeof value === 'number' ? parseQuantity(value)?.nano : undefined;

const formatSteps = (steps: readonly string[]): string =>
  steps
    .map((step) => {
      const rest = step.slice(2);
      if (step.startsWith('f:')) return `.${rest}`;
      if (step.startsWith('v:')) return `[=${rest}]`;
      const keys: unknown = JSON.parse(rest);
      const entries = Object.entries(isObject(keys) ? keys : {});
      const parts = entries.map(([key, value]) => `${key}=${JSON.stringify(value)}`);
      return `[${parts.join(',')}]`;
    })
    .join('');
