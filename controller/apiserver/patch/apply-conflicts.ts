import { childSchema, fillDefaults, isObject, own } from '../../../api/normalize.ts';
import { parseQuantity } from '../../../api/quantity.ts';
import { isSame } from '../../../api/same.ts';
import type { Schema } from '../../../api/schema.ts';
import { type FieldSet, intersection, itemStep } from './field-set.ts';

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

const differences = (pair: Pair, shared: FieldSet): readonly (readonly string[])[] =>
  Object.entries(shared).flatMap(([step, inner]) => {
    if (step === '.') return [];
    const next = follow(pair, step);
    const deeper = differences(next, inner).map((steps) => [step, ...steps]);
    const isEnd = Object.keys(inner).length === 0;
    return isEnd && differ(next) ? [[step]] : deeper;
  });

function follow({ schema, live, applied }: Pair, step: string): Pair {
  if (step.startsWith('f:')) {
    const name = step.slice(2);
    const inner = childSchema(schema, name);
    return { schema: inner, live: fieldOf(live, name), applied: fieldOf(applied, name) };
  }
  const item = schema?.shape.kind === 'list' ? schema.shape.item : undefined;
  const entry = (list: unknown): unknown =>
    Array.isArray(list) ? list.find((one) => itemStep(schema, one) === step) : undefined;
  return { schema: item, live: entry(live), applied: entry(applied) };
}

const fieldOf = (value: unknown, name: string): unknown =>
  isObject(value) ? own(value, name) : undefined;

/** "0.5" and "500m" are the same cpu. */
function differ({ schema, live, applied }: Pair): boolean {
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
