import { formatQuantity, quantityOf } from './quantity.ts';
import type { Fields, Schema } from './schema.ts';

/**
 * Reads JSON as Kubernetes does: null means absent, and so does "" where only certain words make sense. Gives a fresh
 * copy of everything that is an object or a list. Wrong types are left for checkShape to name.
 */
export function normalize(schema: Schema, value: unknown): unknown {
  return mapInner(schema, value, (field, inner) => {
    if (field === undefined) return inner ?? undefined;
    return isAbsent(field, inner) ? undefined : normalize(field, inner);
  });
}

/**
 * A value that has passed checkShape, with the schema's defaults filled in and its quantities in canonical form
 * ("0.5" → "500m"), as Kubernetes stores them.
 */
export function fillDefaults(schema: Schema, value: unknown): unknown {
  const { shape } = schema;
  if (shape.kind === 'quantity' && (typeof value === 'string' || typeof value === 'number'))
    return formatQuantity(quantityOf(value));
  const complete =
    shape.kind === 'object' && isObject(value)
      ? { ...value, ...missing(shape.fields, value) }
      : value;
  return mapInner(schema, complete, (field, inner) =>
    field === undefined ? inner : fillDefaults(field, inner),
  );
}

function missing(fields: Fields, value: object): Readonly<Record<string, unknown>> {
  const fallbacks = Object.entries(fields)
    .filter(([name, { fallback }]) => fallback !== undefined && !Object.hasOwn(value, name))
    .map(([name, { fallback }]) => [name, fallback]);
  return Object.fromEntries(fallbacks);
}

/** Without the fields that the schema doesn't know: what `--validate=false` asks for. */
export const pruneUnknown = (schema: Schema, value: unknown): unknown =>
  mapInner(schema, value, (field, inner) => field && pruneUnknown(field, inner));

/** Without those that orc doesn't support yet, too. */
export const pruneUnsupported = (schema: Schema, value: unknown): unknown =>
  mapInner(schema, value, (field, inner) =>
    field && field.shape.kind !== 'unsupported' ? pruneUnsupported(field, inner) : undefined,
  );

/**
 * A copy with every field, map value or list entry changed; `schema` is undefined for a field that isn't known. A field
 * that becomes undefined goes, an entry of a list stays. What has nothing inside, by its schema, is given back as it is.
 */
function mapInner(
  schema: Schema,
  value: unknown,
  change: (schema: Schema | undefined, inner: unknown) => unknown,
): unknown {
  const { shape } = schema;
  if (shape.kind === 'list' && Array.isArray(value))
    return value.map((item: unknown) => change(shape.item, item) ?? item);
  if ((shape.kind !== 'object' && shape.kind !== 'map') || !isObject(value)) return value;
  const entries = Object.entries(value).map(([name, inner]): [string, unknown] => [
    name,
    change(childSchema(schema, name), inner),
  ]);
  return Object.fromEntries(entries.filter(([, inner]) => inner !== undefined));
}

/** Of a field of an object, or of a map's values. */
export function childSchema(schema: Schema | undefined, name: string): Schema | undefined {
  const shape = schema?.shape;
  if (shape?.kind === 'map') return shape.value;
  return shape?.kind === 'object' ? (own(shape.fields, name) ?? shape.others) : undefined;
}

/** A field of an object or a value of a map; never one of Object.prototype's. */
export const own = <T>(of: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(of, name) ? of[name] : undefined;

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isAbsent({ shape, presence, nullable }: Schema, value: unknown): boolean {
  if (value === null) return nullable !== true;
  if (value === undefined) return true;
  if (value !== '' || presence === 'required') return false;
  return (shape.kind === 'string' && shape.values !== undefined) || shape.kind === 'time';
}
