import { checkShape } from './check-shape.ts';
import type { FieldErrors, FieldPath } from './field-error.ts';
import * as field from './field-error.ts';
import { checkValues, type JsonSchema, lackingFormats, patternOf } from './json-schema.ts';
import { fillDefaults, isObject, own } from './normalize.ts';
import { objectMetaFields } from './object-meta.ts';
import * as s from './schema.ts';

/** Is it a structural schema? If not: why, in Kubernetes' words. */
export function checkStructural(node: unknown, at: FieldPath, place = 'at the root'): FieldErrors {
  const errors = checkShape(s.obj(keywords), node, at);
  if (errors.length > 0) return errors;
  const schema = node as JsonSchema;
  const { properties = {}, items, additionalProperties: others } = schema;
  const inner = [
    ...Object.entries(properties).flatMap(([name, property]) =>
      checkStructural(property, at('properties')(name), ofField),
    ),
    ...(items ? checkStructural(items, at('items'), 'for specified array items') : []),
    ...(isObject(others) ? checkStructural(others, at('additionalProperties'), ofField) : []),
  ];
  const found = [...checkType(schema, at, place), ...checkNode(schema, at), ...inner];
  if (found.length > 0) return found;
  return [...checkJunctors(schema, at), ...checkDefault(schema, at)];
}

/** For parsing: types, what is known, what stands where nothing is given, how lists are merged. */
export function schemaOf(node: JsonSchema): s.Schema {
  const { default: fallback, nullable } = node;
  const presence = fallback === undefined ? 'optional' : 'default';
  return { shape: shapeOf(node), presence, fallback, nullable };
}

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

function checkType(schema: JsonSchema, at: FieldPath, place: string): FieldErrors {
  const { type } = schema;
  const isRoot = place === 'at the root';
  const isFree = schema[preserves] === true || schema[intOrString] === true;
  if (isRoot && type !== undefined && type !== 'object')
    return [field.invalid(at('type'), type, 'must be object at the root')];
  if (type === undefined && (isRoot || !isFree))
    return [field.required(at('type'), `must not be empty ${place}`)];
  if (type !== undefined && schema[intOrString])
    return [field.invalid(at('type'), type, `must be empty if ${intOrString} is true`)];
  return [];
}

type Node = JsonSchema & { readonly uniqueItems?: boolean };

function checkNode(schema: Node, at: FieldPath): FieldErrors {
  const { type, properties, items, additionalProperties: others } = schema;
  const isMap = schema[listType] === 'map';
  const keys = schema[mapKeys] ?? [];
  const misplaced = Object.entries(typeOf)
    .filter(([keyword, needed]) => own({ ...schema }, keyword) && type !== needed)
    .map(([keyword, needed]) =>
      field.invalid(at('type'), type ?? '', `must be ${needed} if ${keyword} is specified`),
    );
  const forbid = (keyword: keyof Node, why: string) => field.forbidden(at(keyword), why);
  return field.errorsOf(
    misplaced,
    type === 'array' && !items && field.required(at('items'), 'must be specified'),
    others === false && forbid('additionalProperties', 'cannot be set to false'),
    properties && others && forbid('additionalProperties', 'mutually exclusive with properties'),
    schema.uniqueItems && forbid('uniqueItems', quadratic),
    schema[preserves] === false && field.invalid(at(preserves), false, 'must be true or undefined'),
    schema[embeds] &&
      !properties &&
      !schema[preserves] &&
      field.required(at('properties'), `must not be empty if ${embeds} is true`),
    isMap && keys.length === 0 && field.required(at(mapKeys), 'must not be empty for a map'),
    !isMap && keys.length > 0 && forbid(mapKeys, `must be empty unless ${listType} is map`),
    keys.flatMap((key) => checkMapKey(items ?? {}, key, at('items'))),
  );
}

const typeOf: Readonly<Record<string, JsonSchema['type']>> = {
  ...{ properties: 'object', additionalProperties: 'object', [embeds]: 'object' },
  ...{ 'x-kubernetes-map-type': 'object', items: 'array', [listType]: 'array' },
};

const quadratic =
  'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';

function checkMapKey({ properties = {}, required }: JsonSchema, key: string, at: FieldPath) {
  const property = own(properties, key);
  const place = at('properties')(key);
  if (!property) return [field.invalid(place, key, `${mapKeys} must be properties of the items`)];
  if (property.default !== undefined || required?.includes(key)) return [];
  const why = `this property is in ${mapKeys}, so it must have a default or be a required property`;
  return [field.required(place('default'), why)];
}

/** What they speak of must be in the structure itself. */
function checkJunctors(schema: JsonSchema, at: FieldPath, base = schema): FieldErrors {
  const listed = (['allOf', 'anyOf', 'oneOf'] as const).flatMap((name) =>
    (schema[name] ?? []).flatMap((one, i) => checkJunctor(one, base, at(name)(i))),
  );
  return schema.not ? [...listed, ...checkJunctor(schema.not, base, at('not'))] : listed;
}

function checkJunctor(node: JsonSchema, base: JsonSchema, at: FieldPath): FieldErrors {
  const { type: _, ...rest } = node;
  const foreign = Object.keys(base[intOrString] ? rest : node)
    .filter((name) => Object.hasOwn(keywords, name) && !Object.hasOwn(validations, name))
    .map((name) => field.forbidden(at(name), 'must be empty to be structural'));
  if (foreign.length > 0) return foreign;
  const errors = checkShape(s.obj(validations), rest, at);
  if (errors.length > 0) return errors;
  type Inner = { one: JsonSchema; known: JsonSchema | undefined; place: FieldPath };
  const inner = ({ one, known, place }: Inner) =>
    known
      ? checkJunctor(one, known, place)
      : [field.required(place, 'because it must be in the structure, too')];
  return [
    ...Object.entries(node.properties ?? {}).flatMap(([name, one]) =>
      inner({ one, known: own(base.properties ?? {}, name), place: at('properties')(name) }),
    ),
    ...(node.items ? inner({ one: node.items, known: base.items, place: at('items') }) : []),
    ...checkJunctors(node, at, base),
  ];
}

/** What is filled in must itself be allowed. */
function checkDefault(schema: JsonSchema, at: FieldPath): FieldErrors {
  const { default: value, ...rest } = schema;
  if (value === undefined) return [];
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
