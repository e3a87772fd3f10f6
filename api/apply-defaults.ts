import { isObject, mapInner } from './normalize.ts';
import { formatQuantity, quantityOf } from './quantity.ts';
import type { Fields, Schema } from './schema.ts';

/**
 * A value that has passed checkShape, with the schema's defaults filled in and its quantities in canonical form
 * ("0.5" → "500m"), as Kubernetes stores them.
 */
export function applySchemaDefaults(schema: Schema, value: unknown): unknown {
  const { shape } = schema;
  if (shape.kind === 'quantity' && (typeof value === 'string' || typeof value === 'number'))
    return formatQuantity(quantityOf(value));
  const complete =
    shape.kind === 'object' && isObject(value)
      ? { ...value, ...missing(shape.fields, value) }
      : value;
  return mapInner(schema, complete, (field, inner) =>
    field === undefined ? inner : applySchemaDefaults(field, inner),
  );
}

function missing(fields: Fields, value: object): Readonly<Record<string, unknown>> {
  const fallbacks = Object.entries(fields)
    .filter(([name, { fallback }]) => fallback !== undefined && !Object.hasOwn(value, name))
    .map(([name, { fallback }]) => [name, fallback]);
  return Object.fromEntries(fallbacks);
}
