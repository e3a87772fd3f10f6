import { isObject, ownField } from './normalize.ts';
import { formatQuantity, quantityOf } from './quantity.ts';
import type { Fields, Schema } from './schema.ts';

/**
 * A value that has passed checkShape, with the schema's defaults filled in and its quantities in canonical form
 * ("0.5" → "500m"), as Kubernetes stores them.
 */
export function applySchemaDefaults(schema: Schema, value: unknown): unknown {
  const { shape } = schema;
  switch (shape.kind) {
    case 'quantity':
      return typeof value === 'string' || typeof value === 'number'
        ? formatQuantity(quantityOf(value))
        : value;
    case 'list':
      return Array.isArray(value)
        ? value.map((item) => applySchemaDefaults(shape.item, item))
        : value;
    case 'map':
      return isObject(value) ? mapValues(value, () => shape.value) : value;
    case 'object':
      return isObject(value) ? applyFieldDefaults(shape.fields, value) : value;
    default:
      return value;
  }
}

function applyFieldDefaults(fields: Fields, value: Readonly<Record<string, unknown>>): unknown {
  const missing = Object.entries(fields)
    .filter(([name, { fallback }]) => fallback !== undefined && !Object.hasOwn(value, name))
    .map(([name, { fallback }]) => [name, fallback]);
  const complete = { ...value, ...Object.fromEntries(missing) };
  return mapValues(complete, (name) => ownField(fields, name));
}

function mapValues(
  value: Readonly<Record<string, unknown>>,
  schemaOf: (name: string) => Schema | undefined,
): unknown {
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      const schema = schemaOf(name);
      return [name, schema === undefined ? inner : applySchemaDefaults(schema, inner)];
    }),
  );
}
