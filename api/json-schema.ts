import { isIPv4, isIPv6 } from 'node:net';
import { withinTime } from '../base/within-time.ts';
import { isTime } from './check-shape.ts';
import type { FieldErrors, FieldPath } from './field-error.ts';
import * as field from './field-error.ts';
import { checkDnsSubdomain } from './names.ts';
import { isObject, own } from './normalize.ts';
import { isSame } from './same.ts';

/** A node of a structural schema: what structural-schema.ts has found in order. */
export interface JsonSchema extends Limits, Flags {
  readonly type?: 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object';
  readonly description?: string;
  readonly format?: string;
  readonly pattern?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly allOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly not?: JsonSchema;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly [string, ...string[]];
  readonly 'x-kubernetes-map-type'?: 'granular' | 'atomic';
}

type Size = 'imum' | 'Length' | 'Items' | 'Properties';
type Limits = Readonly<Partial<Record<`${'min' | 'max'}${Size}` | 'multipleOf', number>>>;
type Extension = 'preserve-unknown-fields' | 'int-or-string' | 'embedded-resource';
type Flag =
  | 'nullable'
  | 'uniqueItems'
  | `exclusiveM${'in' | 'ax'}imum`
  | `x-kubernetes-${Extension}`;
type Flags = Readonly<Partial<Record<Flag, boolean>>>;

const checkMs = 500;

/** The patterns are somebody else's: a value that matches slowly must not hold everybody up. */
export const checkInTime = (value: unknown, at: FieldPath, check: () => FieldErrors): FieldErrors =>
  withinTime(checkMs, check)?.result ?? [field.invalid(at, value, slow)];

const slow = `checking it against the definition's patterns takes more than ${checkMs} ms`;

/** Everything in which a pruned, defaulted value breaks its schema, types aside; in Kubernetes' words. */
export function checkValues(schema: JsonSchema, value: unknown, at: FieldPath): FieldErrors {
  if (value === null || value === undefined) return [];
  const { enum: words, pattern, format = '', multipleOf, required = [], items = {} } = schema;
  const wrong = (why: string) => field.invalid(at, value, `${String(at)} in body ${why}`);
  const text = typeof value === 'string' ? value : undefined;
  const entries = isObject(value) ? Object.entries(value) : [];
  return field.errorsOf(
    beyondLimits(schema, value).map(wrong),
    words?.every((one) => !isSame(one, value)) && field.notOneOf(at, value, words),
    typeof value === 'number' &&
      multipleOf !== undefined &&
      !Number.isInteger(value / multipleOf) &&
      wrong(`should be a multiple of ${multipleOf}`),
    text !== undefined &&
      pattern !== undefined &&
      !patternOf(pattern).test(text) &&
      wrong(`should match '${pattern}'`),
    text !== undefined &&
      own(formats, format)?.(text) === false &&
      wrong(`must be of type ${format}: ${JSON.stringify(value)}`),
    isObject(value) &&
      required
        .filter((name) => !Object.hasOwn(value, name))
        .map((name) => field.required(at(name))),
    checkJunctors(schema, value, at),
    Array.isArray(value) && field.errorsOfEach(value, at, (item, i) => checkValues(items, item, i)),
    entries.flatMap(([name, inner]) => checkValues(propertyOf(schema, name), inner, at(name))),
  );
}

/** Formats that Kubernetes checks and orc lacks. */
export const lackingFormats = [
  ...['bsonobjectid', 'isbn', 'isbn10', 'isbn13', 'creditcard', 'ssn', 'hexcolor', 'rgbcolor'],
  ...['uuid3', 'uuid4', 'uuid5', 'cidr', 'duration', 'datetime'],
];

/** As Go's regular expressions have it: any sign may stand behind a backslash. */
export const patternOf = (pattern: string): RegExp =>
  new RegExp(
    pattern.replace(/\\(.)/gs, (pair, sign: string) =>
      /[^\w\s^$\\.*+?()[\]{}|/]/.test(sign) ? `\\x${Buffer.from(sign).toString('hex')}` : pair,
    ),
    'u',
  );

/** What each of these limits, and what is said of a value beyond it. */
const limits = [
  ['minimum', 'number', (n: number) => `be greater than or equal to ${n}`],
  ['maximum', 'number', (n: number) => `be less than or equal to ${n}`],
  ['minLength', 'string', (n: number) => `be at least ${n} chars long`],
  ['maxLength', 'string', (n: number) => `be at most ${n} chars long`],
  ['minItems', 'array', (n: number) => `have at least ${n} items`],
  ['maxItems', 'array', (n: number) => `have at most ${n} items`],
  ['minProperties', 'object', (n: number) => `have at least ${n} properties`],
  ['maxProperties', 'object', (n: number) => `have at most ${n} properties`],
] as const;

/** "should …" for every limit that the value is beyond. */
function beyondLimits(schema: JsonSchema, value: unknown): readonly string[] {
  const { type, size } = sizeOf(value);
  return limits.flatMap(([keyword, limited, words]) => {
    const limit = schema[keyword];
    if (limit === undefined || limited !== type) return [];
    const [excess, excluded] = keyword.startsWith('min')
      ? [limit - size, schema.exclusiveMinimum]
      : [size - limit, schema.exclusiveMaximum];
    const isExclusive = type === 'number' && excluded;
    if (isExclusive ? excess < 0 : excess <= 0) return [];
    return [`should ${isExclusive ? words(limit).replace(' or equal to', '') : words(limit)}`];
  });
}

function sizeOf(value: unknown): { readonly type: string; readonly size: number } {
  if (typeof value === 'number') return { type: 'number', size: value };
  // In characters, as Kubernetes counts them.
  if (typeof value === 'string') return { type: 'string', size: Array.from(value).length };
  if (Array.isArray(value)) return { type: 'array', size: value.length };
  return { type: 'object', size: isObject(value) ? Object.keys(value).length : 0 };
}

const formats: Readonly<Record<string, (text: string) => boolean>> = {
  'date-time': isTime,
  date: (text) => isTime(`${text}T00:00:00Z`),
  byte: (text) => Buffer.from(text, 'base64').toString('base64') === text,
  ipv4: isIPv4,
  ipv6: isIPv6,
  mac: (text) => /^([\da-f]{2}[:-]){5}[\da-f]{2}$/i.test(text),
  uuid: (text) => /^[\da-f]{8}-?([\da-f]{4}-?){3}[\da-f]{12}$/i.test(text),
  uri: (text) => URL.canParse(text),
  email: (text) => /^[^@\s]+@[^@\s]+$/.test(text),
  hostname: (text) => checkDnsSubdomain(text.toLowerCase()) === undefined,
};

const propertyOf = ({ properties = {}, additionalProperties: others }: JsonSchema, name: string) =>
  own(properties, name) ?? (isObject(others) ? others : {});

function checkJunctors(schema: JsonSchema, value: unknown, at: FieldPath): FieldErrors {
  const fits = (one: JsonSchema) => checkValues(one, value, at).length === 0;
  const { allOf = [], anyOf, oneOf, not } = schema;
  const must = (what: string) => field.invalid(at, value, `"${String(at)}" must ${what}`);
  return field.errorsOf(
    allOf.flatMap((one) => checkValues(one, value, at)),
    anyOf && !anyOf.some(fits) && must('validate at least one schema (anyOf)'),
    oneOf && oneOf.filter(fits).length !== 1 && must('validate one and only one schema (oneOf)'),
    not && fits(not) && must('not validate the schema (not)'),
  );
}
