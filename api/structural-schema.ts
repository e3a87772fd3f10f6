import { checkShape } from './check-shape.ts';
import type { FieldErrors, FieldPath } from './field-error.ts';
import * as field from './field-error.ts';
import {
  checkInTime,
  checkValues,
  type JsonSchema,
  lackingFormats,
  patternOf,
} from './json-schema.ts';
import { fillDefaults, own } from './normalize.ts';
import { objectMetaFields } from './object-meta.ts';
import { isSame } from './same.ts';
import * as s from './schema.ts';

/** Is it a structural schema? If not: why, in Kubernetes' words. */
export function checkStructural(schema: unknown, at: FieldPath): FieldErrors {
  const errors = checkTree(schema, at, root);
  // What is said of values can only be tried out once the structure is right.
  if (errors.length > 0) return errors;
  return checkInTime(schema, at, () => checkDefaults(schema as JsonSchema, at));
}

/** For parsing: types, what is known, what stands where nothing is given, how lists are merged. */
export function schemaOf(node: JsonSchema): s.Schema {
  const { default: fallback, nullable } = node;
  const presence = fallback === undefined ? 'optional' : 'default';
  return { shape: shapeOf(node), presence, fallback, nullable };
}

const root = 'at the root';
const ofField = 'for specified object fields';
const preserves = 'x-kubernetes-preserve-unknown-fields';
const embeds = 'x-kubernetes-embedded-resource';
const intOrString = 'x-kubernetes-int-or-string';
const listType = 'x-kubernetes-list-type';
const mapKeys = 'x-kubernetes-list-map-keys';

/** What is said of a value; these are checked with values, too. */
const validations = {
  format: s.str({ lacks: lackingFormats }),
  enum: s.list(s.json()),
  ...s.all(s.number(), 'minimum', 'maximum', 'multipleOf'),
  ...s.all(s.bool(), 'exclusiveMinimum', 'exclusiveMaximum'),
  ...s.all(s.long({ min: 0 }), 'minLength', 'maxLength', 'minItems', 'maxItems'),
  ...s.all(s.long({ min: 0 }), 'minProperties', 'maxProperties'),
  pattern: s.str({ check: checkPattern }),
  required: s.listSet(s.str()),
  ...s.all(s.list(s.json()), 'allOf', 'anyOf', 'oneOf'),
  ...s.all(s.json(), 'not', 'items'),
  properties: s.map(s.json()),
};

/** Of one node; those inside are looked at one by one. */
const keywords = {
  ...validations,
  type: s.str({ values: ['string', 'integer', 'number', 'boolean', 'array', 'object'] }),
  ...s.all(s.str(), 'title', 'description'),
  ...s.all(s.json(), 'default', 'example', 'externalDocs', 'additionalProperties'),
  ...s.all(s.bool(), 'nullable', 'uniqueItems', preserves, embeds, intOrString),
  [listType]: s.str({ values: ['atomic', 'set', 'map'] }),
  [mapKeys]: s.listSet(s.str()),
  'x-kubernetes-map-type': s.str({ values: ['granular', 'atomic'] }),
  ...s.unsupportedFields('x-kubernetes-validations'),
};

function checkPattern(pattern: string): string | undefined {
  try {
    patternOf(pattern);
    return undefined;
  } catch {
    return 'must be a regular expression that Go and JavaScript read alike';
  }
}

function checkTree(node: unknown, at: FieldPath, place: string): FieldErrors {
  const errors = checkShape(s.obj(keywords), node, at);
  if (errors.length > 0) return errors;
  const schema = node as JsonSchema;
  const inner = innerOf(schema, at).flatMap(([one, ...where]) => checkTree(one, ...where));
  const found = [...checkNode(schema, at, place), ...inner];
  return found.length > 0 ? found : checkJunctors(schema, at);
}

type Inner = readonly [node: JsonSchema, at: FieldPath, place: string];

function innerOf(schema: JsonSchema, at: FieldPath): readonly Inner[] {
  const { properties = {}, items, additionalProperties: others } = schema;
  const fields = Object.entries(properties);
  return [
    ...fields.map(([name, one]): Inner => [one, at('properties')(name), ofField]),
    ...(items ? [[items, at('items'), 'for specified array items'] as const] : []),
    ...(others === undefined || typeof others === 'boolean'
      ? []
      : [[others, at('additionalProperties'), ofField] as const]),
  ];
}

/** Only object and array have something inside. */
const typeFor: Readonly<Record<string, JsonSchema['type']>> = {
  ...{ properties: 'object', additionalProperties: 'object', [embeds]: 'object' },
  ...{ 'x-kubernetes-map-type': 'object', items: 'array', [listType]: 'array' },
};

function checkNode(schema: JsonSchema, at: FieldPath, place: string): FieldErrors {
  const { type, properties, items, additionalProperties: others } = schema;
  const isFree = place !== root && (schema[preserves] === true || schema[intOrString] === true);
  const keys = schema[mapKeys] ?? [];
  const forbid = (keyword: keyof JsonSchema, why: string) => field.forbidden(at(keyword), why);
  const ofType = (why: string) => field.invalid(at('type'), type ?? '', why);
  return field.errorsOf(
    !type && !isFree && field.required(at('type'), `must not be empty ${place}`),
    type && place === root && type !== 'object' && ofType('must be object at the root'),
    type && schema[intOrString] && ofType(`must be empty if ${intOrString} is true`),
    Object.keys(schema).flatMap((keyword) => {
      const needed = own(typeFor, keyword) ?? type;
      return needed === type ? [] : [ofType(`must be ${needed} if ${keyword} is specified`)];
    }),
    type === 'array' && !items && field.required(at('items'), 'must be specified'),
    others === false && forbid('additionalProperties', 'cannot be set to false'),
    properties && others && forbid('additionalProperties', 'mutually exclusive with properties'),
    schema.uniqueItems && forbid('uniqueItems', quadratic),
    schema[preserves] === false && field.invalid(at(preserves), false, 'must be true or undefined'),
    (schema[listType] === 'map') !== keys.length > 0 &&
      field.required(at(mapKeys), `must not be empty if ${listType} is map, and only then`),
    keys
      .filter((key) => !isSure(items ?? {}, key))
      .map((key) => field.required(at('items')('properties')(key)('default'), keyRule)),
  );
}

const quadratic =
  'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
const keyRule = `this property is in ${mapKeys}, so it must have a default or be a required property`;

const isSure = ({ properties = {}, required = [] }: JsonSchema, key: string) =>
  own(properties, key)?.default !== undefined || required.includes(key);

/** They say nothing of types, and speak of what is in the structure itself. */
function checkJunctors(schema: JsonSchema, at: FieldPath, base = schema): FieldErrors {
  const { allOf = [], anyOf = [], oneOf = [], not } = schema;
  // Of an int-or-string, and only so, the types may be told here.
  const tellsTypes = base[intOrString] && isSame(anyOf, eitherType);
  return field.errorsOf(
    ...Object.entries({ allOf, anyOf: tellsTypes ? [] : anyOf, oneOf }).map(([name, list]) =>
      field.errorsOfEach(list, at(name), (one, place) => checkJunctor(one, base, place)),
    ),
    not && checkJunctor(not, base, at('not')),
  );
}

const eitherType = [{ type: 'integer' }, { type: 'string' }];

function checkJunctor(
  node: JsonSchema | undefined,
  base: JsonSchema | undefined,
  at: FieldPath,
): FieldErrors {
  if (node === undefined) return [];
  if (!base) return [field.required(at, 'because it must be in the structure, too')];
  const errors = checkShape(s.obj(validations), node, at);
  if (errors.length > 0)
    return errors.map((one) => (one.reason === 'FieldUnknown' ? { ...one, ...foreign } : one));
  const inner = Object.entries(node.properties ?? {}).flatMap(([name, one]) =>
    checkJunctor(one, own(base.properties ?? {}, name), at('properties')(name)),
  );
  return [
    ...inner,
    ...checkJunctor(node.items, base.items, at('items')),
    ...checkJunctors(node, at, base),
  ];
}

const foreign = {
  reason: 'FieldValueForbidden',
  message: 'Forbidden: must be empty to be structural',
} as const;

/** What is filled in must itself be allowed. */
function checkDefaults(schema: JsonSchema, at: FieldPath): FieldErrors {
  const inner = innerOf(schema, at).flatMap(([one, place]) => checkDefaults(one, place));
  const { default: value, ...rest } = schema;
  if (inner.length > 0 || value === undefined) return inner;
  const errors = checkShape(schemaOf(rest), value, at('default'));
  if (errors.length > 0) return errors;
  return checkValues(schema, fillDefaults(schemaOf(rest), value), at('default'));
}

function shapeOf(node: JsonSchema): s.Shape {
  const atomic = node['x-kubernetes-map-type'] === 'atomic';
  const { additionalProperties: others } = node;
  if (node[intOrString]) return { kind: 'int-or-string' };
  switch (node.type) {
    case undefined:
      return anything.shape;
    case 'integer':
      return (node.format === 'int32' ? s.int() : s.long()).shape;
    case 'array': {
      const item = schemaOf(node.items ?? {});
      return { kind: 'list', item, merge: mergeOf(node), max: Number.POSITIVE_INFINITY };
    }
    case 'object':
      if (others)
        return { kind: 'map', value: others === true ? anything : schemaOf(others), atomic };
      return {
        kind: 'object',
        fields: fieldsOf(node),
        atomic,
        others: node[preserves] ? anything : undefined,
      };
    default:
      return { kind: node.type };
  }
}

const anything: s.Schema = { ...s.json(), nullable: true };

const embedded = {
  ...s.all(s.str().required(), 'apiVersion', 'kind'),
  metadata: s.obj(objectMetaFields),
};

const fieldsOf = (node: JsonSchema): s.Fields => ({
  ...Object.fromEntries(
    Object.entries(node.properties ?? {}).map(([name, property]) => [name, schemaOf(property)]),
  ),
  ...(node[embeds] ? embedded : {}),
});

function mergeOf(node: JsonSchema): s.ListMerge {
  const keys = node[mapKeys];
  if (node[listType] === 'map' && keys) return { as: 'map', keys };
  return { as: node[listType] === 'set' ? 'set' : 'atomic' };
}
