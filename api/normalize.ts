import type { Fields, Schema } from './schema.ts';

/**
 * Reads JSON as Kubernetes does: null means absent, and so does "" where only certain words make sense. Gives a fresh
 * copy of everything that is an object or a list. Wrong types are left for checkShape to name.
 */
export function normalize(schema: Schema, value: unknown): unknown {
  const { shape } = schema;
  if (shape.kind === 'json') return value;
  if (Array.isArray(value))
    return shape.kind === 'list' ? value.map((item) => normalize(shape.item, item)) : value;
  if (!isObject(value)) return value;
  if (shape.kind === 'map') return normalizeFields(value, () => shape.value);
  if (shape.kind === 'object')
    return normalizeFields(value, (name) => ownField(shape.fields, name));
  return value;
}

/** A field of the schema; never one of Object.prototype's. */
export const ownField = (fields: Fields, name: string): Schema | undefined =>
  Object.hasOwn(fields, name) ? fields[name] : undefined;

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function normalizeFields(
  value: Readonly<Record<string, unknown>>,
  schemaOf: (name: string) => Schema | undefined,
): unknown {
  const entries: [string, unknown][] = [];
  for (const [name, inner] of Object.entries(value)) {
    const schema = schemaOf(name);
    if (inner === null || inner === undefined || (schema !== undefined && isAbsent(schema, inner)))
      continue;
    entries.push([name, schema === undefined ? inner : normalize(schema, inner)]);
  }
  return Object.fromEntries(entries);
}

function isAbsent({ shape, presence }: Schema, value: unknown): boolean {
  if (value !== '' || presence === 'required') return false;
  return (shape.kind === 'string' && shape.values !== undefined) || shape.kind === 'time';
}
