import { createHash } from 'node:crypto';
import type * as definition from '../../api/json-schema.ts';
import { apiVersionOf, type Kind } from '../../api/kind.ts';
import { childSchema } from '../../api/normalize.ts';
import { type Fields, json, type Schema, type Shape } from '../../api/schema.ts';
import { groupVersionsOf } from './discovery.ts';
import { collectionPath, groupVersionPath, objectPath } from './resource-path.ts';

/** OpenAPI v3 documents from the kinds' schemas: what `kubectl explain` prints and newer clients validate by. Pure. */

/** /openapi/v3: where each group's document is; the hash lets clients keep it for ever. */
export function openApiIndex(kinds: readonly Kind[]) {
  const entries = groupVersionsOf(kinds).map((groupVersion) => {
    const path = groupVersionPath(groupVersion);
    const text = JSON.stringify(openApiDocument(kinds, groupVersion));
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 32).toUpperCase();
    return [path.slice(1), { serverRelativeURL: `/openapi/v3${path}?hash=${hash}` }] as const;
  });
  return { paths: Object.fromEntries(entries) };
}

export function openApiDocument(kinds: readonly Kind[], groupVersion: string) {
  const served = kinds.filter((kind) => apiVersionOf(kind) === groupVersion);
  return {
    openapi: '3.0.0',
    info: { title: 'orc', version: groupVersion },
    paths: Object.assign({}, ...served.map(pathsOf)),
    components: {
      schemas: Object.fromEntries(served.map((kind) => [schemaName(kind), schemaOf(kind)])),
    },
  };
}

function pathsOf(kind: Kind): JsonSchema {
  const braces = (name: string) => `{${name}}`;
  const body = { content: { 'application/json': { schema: reference(kind) } } };
  const operation = (action: string) => ({
    operationId: `${action}${kind.group}${kind.version}${kind.kind}`,
    parameters: writeParameters,
    responses: { 200: { description: 'OK', ...body } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': groupVersionKind(kind),
  });
  const post = { ...operation('post'), requestBody: body };
  const put = { ...operation('put'), requestBody: body };
  return {
    [collectionPath(kind, braces)]: { get: operation('list'), post },
    [objectPath(kind, braces)]: { get: operation('get'), put, patch: operation('patch') },
  };
}

const writeParameters = ['dryRun', 'fieldValidation', 'fieldManager'].map((name) => ({
  name,
  in: 'query',
  schema: { type: 'string', uniqueItems: true },
}));

/** io.k8s.api.apps.v1.Deployment, com.example.stable.v1.CronTab: as Kubernetes names its schemas. */
const schemaName = ({ group, version, kind, defined }: Kind) =>
  defined
    ? [...group.split('.').reverse(), version, kind].join('.')
    : `io.k8s.api.${group === '' ? 'core' : group.split('.')[0]}.${version}.${kind}`;

const reference = (kind: Kind) => ({ $ref: `#/components/schemas/${schemaName(kind)}` });
const groupVersionKind = ({ group, version, kind }: Kind) => ({ group, kind, version });

const schemaOf = (kind: Kind) => ({
  ...(kind.defined ? definedSchema(kind, kind.defined.schema) : jsonSchema(kind.schema)),
  'x-kubernetes-group-version-kind': [groupVersionKind(kind)],
});

/** As its definition has it, with what all kinds have. */
function definedSchema({ schema }: Kind, defined: definition.JsonSchema): JsonSchema {
  const common = ['apiVersion', 'kind', 'metadata'].map((name) => [
    name,
    jsonSchema(childSchema(schema, name) ?? json()),
  ]);
  const properties = { ...defined.properties, ...Object.fromEntries(common) };
  return { ...defined, properties };
}

/** What is undefined isn't there: these become JSON. */
type JsonSchema = Readonly<Record<string, unknown>>;

const jsonSchema = ({ about, shape, fallback }: Schema): JsonSchema => ({
  ...{ description: about, ...shapeSchema(shape), default: fallback },
});

function shapeSchema(shape: Shape): JsonSchema {
  switch (shape.kind) {
    case 'string':
      return { type: 'string', enum: shape.values };
    case 'quantity':
      return { type: 'string', format: 'quantity' };
    case 'time':
      return { type: 'string', format: 'date-time' };
    case 'bytes':
      return { type: 'string', format: 'byte' };
    case 'int-or-string':
      return { type: 'string', format: 'int-or-string' };
    case 'integer':
      return { type: 'integer', format: shape.max > 2 ** 31 ? 'int64' : 'int32' };
    case 'number':
    case 'boolean':
      return { type: shape.kind };
    case 'list':
      return { type: 'array', items: jsonSchema(shape.item), ...listExtensions(shape) };
    case 'map':
      return { type: 'object', additionalProperties: jsonSchema(shape.value) };
    case 'object':
      return { type: 'object', ...objectSchema(shape.fields) };
    case 'json':
    case 'unsupported':
      return { 'x-kubernetes-preserve-unknown-fields': true };
  }
}

function listExtensions({ merge }: Extract<Shape, { kind: 'list' }>): JsonSchema {
  if (merge.as !== 'map') return { 'x-kubernetes-list-type': merge.as };
  return {
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': merge.keys,
    'x-kubernetes-patch-merge-key': merge.keys[0],
    'x-kubernetes-patch-strategy': 'merge',
  };
}

/** Fields that orc refuses are left out: `explain` shows what works. */
function objectSchema(fields: Fields): JsonSchema {
  const entries = Object.entries(fields).filter(([, field]) => field.presence !== 'unsupported');
  const required = entries.filter(([, field]) => field.presence === 'required').map(([key]) => key);
  return {
    properties: Object.fromEntries(entries.map(([key, field]) => [key, jsonSchema(field)])),
    required: required.length > 0 ? required : undefined,
  };
}
