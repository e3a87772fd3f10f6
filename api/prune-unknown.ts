import { isObject, ownField } from './normalize.ts';
import type { Schema } from './schema.ts';

/** Without the fields that the schema doesn't know: what `--validate=false` asks for. */
export function pruneUnknown({ shape }: Schema, value: unknown): unknown {
  if (shape.kind === 'list' && Array.isArray(value))
    return value.map((item) => pruneUnknown(shape.item, item));
  if (!isObject(value)) return value;
  if (shape.kind === 'map')
    return mapEntries(value, (_, inner) => pruneUnknown(shape.value, inner));
  if (shape.kind !== 'object') return value;
  return mapEntries(value, (name, inner) => {
    const field = ownField(shape.fields, name);
    return field === undefined ? undefined : pruneUnknown(field, inner);
  });
}

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
