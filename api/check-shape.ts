import { closestTo } from '../base/closest.ts';
import type { FieldError, FieldErrors, FieldPath, Rule } from './field-error.ts';
import * as field from './field-error.ts';
import { childSchema, isObject, own } from './normalize.ts';
import { parseQuantity } from './quantity.ts';
import type { Schema, Shape } from './schema.ts';

type ShapeOf<K extends Shape['kind']> = Extract<Shape, { readonly kind: K }>;

/** Everything in which a normalized value differs from its schema; [] when it fits. */
export function checkShape(schema: Schema, value: unknown, at: FieldPath): FieldErrors {
  const { shape } = schema;
  if (value === null && schema.nullable) return [];
  switch (shape.kind) {
    case 'string':
      return checkString(shape, value, at);
    case 'integer':
      return checkInteger(shape, value, at);
    case 'number':
      return Number.isFinite(value) ? [] : [field.wrongType(at, value, 'a number')];
    case 'boolean':
      return typeof value === 'boolean' ? [] : [field.wrongType(at, value, 'a boolean')];
    case 'quantity':
      return checkQuantity(value, at);
    case 'int-or-string':
      // Go's IntOrString holds an int32.
      return typeof value === 'string' || (typeof value === 'number' && value === (value | 0))
        ? []
        : [field.wrongType(at, value, 'an integer or a string')];
    case 'time':
      return checkTime(shape, value, at);
    case 'bytes':
      return checkBytes(value, at);
    case 'json':
      return [];
    case 'list':
      return checkList(shape, value, at);
    case 'map':
      return checkMap(shape, value, at);
    case 'object':
      return checkObject(shape, value, at);
    case 'unsupported':
      return isHarmless(shape.harmless, value) ? [] : [field.unsupported(at)];
  }
}

function checkString(shape: ShapeOf<'string'>, value: unknown, at: FieldPath): FieldErrors {
  if (typeof value !== 'string') return [field.wrongType(at, value, 'a string')];
  if (shape.lacks?.includes(value)) return [field.unsupported(at, value)];
  if (shape.values !== undefined && !shape.values.includes(value))
    return [field.notOneOf(at, value, shape.values)];
  return shape.check ? field.check(at, value, shape.check) : [];
}

function checkInteger(shape: ShapeOf<'integer'>, value: unknown, at: FieldPath): FieldErrors {
  const { min, max } = shape;
  if (typeof value !== 'number' && typeof value !== 'bigint')
    return [field.wrongType(at, value, 'an integer')];
  if (typeof value === 'number' && !Number.isInteger(value))
    return [field.invalid(at, value, 'must be an integer')];
  if (value >= min && value <= max) return [];
  const isPlainMinimum = max >= 2 ** 31 - 1 && value < min;
  const range = isPlainMinimum
    ? `must be greater than or equal to ${min}`
    : `must be between ${min} and ${max}, inclusive`;
  return [field.invalid(at, value, range)];
}

const checkQuantity: Rule<unknown> = (value, at) => {
  if (typeof value !== 'string' && typeof value !== 'number')
    return [field.wrongType(at, value, 'a quantity')];
  if (parseQuantity(value) !== undefined) return [];
  return [field.invalid(at, value, 'must be a quantity such as "100m", "1.5" or "512Mi"')];
};

const checkTime = ({ micro }: ShapeOf<'time'>, value: unknown, at: FieldPath): FieldErrors => {
  if (typeof value !== 'string') return [field.wrongType(at, value, 'a time')];
  if (isTime(value, micro)) return [];
  const example = micro ? '2006-01-02T15:04:05.000000Z' : '2006-01-02T15:04:05Z';
  return [field.invalid(at, value, `must be a time such as "${example}"`)];
};

/** RFC 3339, as Go reads it; `micro`: with microseconds. JavaScript also reads the 31st of February and the 24th hour. */
export function isTime(text: string, micro = false): boolean {
  const civil = text.slice(0, 19);
  return (
    (micro ? microForm : timeForm).test(text) &&
    !Number.isNaN(Date.parse(text)) &&
    new Date(`${civil}Z`).toISOString().startsWith(civil)
  );
}

const timeForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
const microForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$/;

const checkBytes: Rule<unknown> = (value, at) => {
  if (typeof value !== 'string') return [field.wrongType(at, value, 'base64 text')];
  const text = value.replace(/[\r\n]/g, '');
  const isBase64 = Buffer.from(text, 'base64').toString('base64') === text;
  return isBase64 ? [] : [field.invalid(at, value, 'must be base64')];
};

function checkList(shape: ShapeOf<'list'>, value: unknown, at: FieldPath): FieldErrors {
  if (!Array.isArray(value)) return [field.wrongType(at, value, 'a list')];
  const items: readonly unknown[] = value;
  if (items.length > shape.max) return [field.tooMany(at, items.length, shape.max)];
  const errors = items.flatMap((item, index) => checkShape(shape.item, item, at(index)));
  return errors.length > 0 ? errors : checkDuplicates(shape, items, at);
}

function checkDuplicates(shape: ShapeOf<'list'>, items: readonly unknown[], at: FieldPath) {
  if (shape.merge.as === 'atomic') return [];
  const seen = new Set<string>();
  return items.flatMap((item, index) => {
    const key = itemKey(shape, item);
    const id = JSON.stringify(key);
    const isTaken = seen.has(id);
    seen.add(id);
    return isTaken ? duplicateItem(shape, key, at(index)) : [];
  });
}

/** What tells an entry from the others: itself in a set, the values of the key fields in a map. */
export function itemKey({ merge, item }: ShapeOf<'list'>, value: unknown): unknown {
  if (merge.as !== 'map' || !isObject(value)) return value;
  const entries = merge.keys.map((key) => [key, value[key] ?? childSchema(item, key)?.fallback]);
  return Object.fromEntries(entries);
}

function duplicateItem(shape: ShapeOf<'list'>, key: unknown, at: FieldPath): FieldError {
  if (shape.merge.as !== 'map' || !isObject(key)) return field.duplicate(at, key);
  const [only, ...more] = shape.merge.keys;
  return only !== undefined && more.length === 0
    ? field.duplicate(at(only), key[only])
    : field.duplicate(at, key);
}

function checkMap(shape: ShapeOf<'map'>, value: unknown, at: FieldPath): FieldErrors {
  if (!isObject(value)) return [field.wrongType(at, value, 'an object')];
  return Object.entries(value).flatMap(([key, inner]) => {
    const why = shape.check?.(key);
    const errors = checkShape(shape.value, inner, at(key));
    return why === undefined ? errors : [field.invalid(at(key), key, why), ...errors];
  });
}

function checkObject(shape: ShapeOf<'object'>, value: unknown, at: FieldPath): FieldErrors {
  const { fields, others } = shape;
  if (!isObject(value)) return [field.wrongType(at, value, 'an object')];
  const missing = Object.entries(fields)
    .filter(([name, { presence }]) => presence === 'required' && isMissing(value[name]))
    .map(([name]) => field.required(at(name)));
  const wrong = Object.entries(value).flatMap(([name, inner]) => {
    const known = own(fields, name) ?? others;
    if (known === undefined) return [field.unknown(at(name), closestTo(name, Object.keys(fields)))];
    const reported = known.presence === 'required' && isMissing(inner);
    return reported ? [] : checkShape(known, inner, at(name));
  });
  return [...missing, ...wrong];
}

const isMissing = (value: unknown) => value === undefined || value === '';

/** Go's zero values say the same as nothing at all. */
function isHarmless(harmless: readonly unknown[], value: unknown): boolean {
  if (value === undefined || value === '' || (Array.isArray(value) && value.length === 0))
    return true;
  return harmless.some((one) => JSON.stringify(one) === JSON.stringify(value));
}
