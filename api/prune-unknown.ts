import { isObject, ownField } from './normalize.ts';
import type { Schema } from './schema.ts';

/** Without the fields that the schema doesn't know: what `--validate=false` asks for. */
export const pruneUnknown = (schema: Schema, value: unknown): unknown =>
  prune(schema, value, (field): field is Schema => field !== undefined);

/** Without those that orc doesn't support yet, too. */
export const pruneUnsupported = (schema: Schema, value: unknown): unknown =>
  prune(
    schema,
    value,
    (field): field is Schema => field !== undefined && field.shape.kind !== 'unsupported',
  );

function prune({ shape }: Schema, value: unknown, keeps: Keeps): unknown {
  if (shape.kind === 'list' && Array.isArray(value))
    return value.map((item) => prune(shape.item, item, keeps));
  if (!isObject(value)) return value;
  if (shape.kind === 'map')
    return mapEntries(value, (_, inner) => prune(shape.value, inner, keeps));
  if (shape.kind !== 'object') return value;
  return mapEntries(value, (name, inner) => {
    const field = ownField(shape.fields, name);
    return keeps(field) ? prune(field, inner, keeps) : undefined;
  });
}

type Keeps = (field: Schema | undefined) => field is Schema;

function mapEntries(
  value: Readonly<Record<string, unknown>>,
  change: (name: string, inner: unknown) => unknown,
): unknown {
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, inner]) => [name, change(name, inner)] as const)
      .filter(([, inner]) => inner !== undefined),
  );
}
