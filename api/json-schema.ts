import { isIPv4, isIPv6 } from 'node:net';
import { isTime } from './check-shape.ts';
import type { FieldErrors, FieldPath } from './field-error.ts';
import * as field from './field-error.ts';
import { checkDnsSubdomain } from './names.ts';
import { isObject, own } from './normalize.ts';
import { isSame } from './same.ts';

/** A node of a structural schema: what structural-schema.ts has found in order. */
export interface JsonSchema {
  readonly type?: 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object';
  readonly description?: string;
  readonly format?: string;
  readonly nullable?: boolean;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly allOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly not?: JsonSchema;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-embedded-resource'?: boolean;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly [string, ...string[]];
  readonly 'x-kubernetes-map-type'?: 'granular' | 'atomic';
}

/** Everything in which a pruned, defaulted value breaks its schema, types aside; in Kubernetes' words. */
export function checkValues(schema: JsonSchema, value: unknown, at: FieldPath): FieldErrors {
  if (value === null || value === undefined) return [];
  const broken = Object.entries(schema).flatMap(([keyword, limit]) => {
    const rule: Rule | undefined = own(rules, keyword);
    const why = rule?.(limit as never, value, schema);
    return why ? [field.invalid(at, value, `${String(at)} in body ${why}`)] : [];
  });
  const { enum: words, maxLength, maxItems, maxProperties } = schema;
  const items = Array.isArray(value) ? value : [];
  const entries = Object.entries(isObject(value) ? value : {});
  return field.errorsOf(
    broken,
    words?.every((one) => !isSame(one, value)) && field.notOneOf(at, value, words),
    lengthOf(value) > (maxLength ?? Infinity) && field.tooLong(at, maxLength ?? 0),
    items.length > (maxItems ?? Infinity) && field.tooMany(at, items.length, maxItems ?? 0),
    entries.length > (maxProperties ?? Infinity) &&
      field.tooMany(at, entries.length, maxProperties ?? 0),
    isObject(value) && missing(schema, value).map((name) => field.required(at(name))),
    checkJunctors(schema, value, at),
    field.errorsOfEach(items, at, (item, place) => checkValues(schema.items ?? {}, item, place)),
    entries.flatMap(([name, inner]) => checkValues(propertyOf(schema, name), inner, at(name))),
  );
}

/** Formats that Kubernetes checks and orc lacks. */
export const lackingFormats =
  'bsonobjectid isbn isbn10 isbn13 creditcard ssn hexcolor rgbcolor uuid3 uuid4 uuid5 cidr duration datetime'.split(
    ' ',
  );

/** As Go's regular expressions have it: any sign may stand behind a backslash. */
export const patternOf = (pattern: string): RegExp =>
  new RegExp(
    pattern.replace(/\\(.)/gs, (pair, sign: string) =>
      /[^\w\s^$\\.*+?()[\]{}|/]/.test(sign) ? `\\x${Buffer.from(sign).toString('hex')}` : pair,
    ),
    'u',
  );

/** Says how the value breaks the keyword's limit. What isn't of its type doesn't concern a keyword. */
type Rule = (limit: never, value: unknown, schema: JsonSchema) => string | false | undefined;

const rules: Readonly<Record<string, Rule>> = {
  minimum: (limit: number, value, { exclusiveMinimum: exclusive }) =>
    typeof value === 'number' &&
    (value < limit || (exclusive && value === limit)) &&
    `should be greater than ${exclusive ? '' : 'or equal to '}${limit}`,
  maximum: (limit: number, value, { exclusiveMaximum: exclusive }) =>
    typeof value === 'number' &&
    (value > limit || (exclusive && value === limit)) &&
    `should be less than ${exclusive ? '' : 'or equal to '}${limit}`,
  multipleOf: (limit: number, value) =>
    typeof value === 'number' &&
    !Number.isInteger(value / limit) &&
    `should be a multiple of ${limit}`,
  minLength: (limit: number, value) =>
    typeof value === 'string' &&
    lengthOf(value) < limit &&
    `should be at least ${limit} chars long`,
  pattern: (pattern: string, value) =>
    typeof value === 'string' && !patternOf(pattern).test(value) && `should match '${pattern}'`,
  format: (format: string, value) =>
    typeof value === 'string' &&
    own(formats, format)?.(value) === false &&
    `must be of type ${format}: ${JSON.stringify(value)}`,
  minItems: (limit: number, value) =>
    Array.isArray(value) && value.length < limit && `should have at least ${limit} items`,
  minProperties: (limit: number, value) =>
    isObject(value) &&
    Object.keys(value).length < limit &&
    `should have at least ${limit} properties`,
};

const formats: Readonly<Record<string, (text: string) => boolean>> = {
  'date-time': (text) => isTime(text) && !Number.isNaN(Date.parse(text)),
  date: (text) => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)),
  byte: (text) => Buffer.from(text, 'base64').toString('base64') === text,
  ipv4: isIPv4,
  ipv6: isIPv6,
  mac: (text) => /^([\da-f]{2}[:-]){5}[\da-f]{2}$/i.test(text),
  uuid: (text) => /^[\da-f]{8}-?([\da-f]{4}-?){3}[\da-f]{12}$/i.test(text),
  uri: (text) => URL.canParse(text),
  email: (text) => /^[^@\s]+@[^@\s]+$/.test(text),
  hostname: (text) => checkDnsSubdomain(text.toLowerCase()) === undefined,
};

/** In characters, as Kubernetes counts them. */
const lengthOf = (value: unknown) => (typeof value === 'string' ? Array.from(value).length : 0);

const missing = ({ required = [] }: JsonSchema, value: object) =>
  required.filter((name) => !Object.hasOwn(value, name));

function propertyOf({ properties = {}, additionalProperties }: JsonSchema, name: string) {
  const others = isObject(additionalProperties) ? additionalProperties : {};
  return own(properties, name) ?? others;
}

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
