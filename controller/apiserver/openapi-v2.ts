import * as openApi from '../../api/generated/openapi-v2.ts';
import type { Kind } from '../../api/kind.ts';
import { objectPath } from './resource-path.ts';

/**
 * /openapi/v2 as Protobuf. kubectl reads nothing of it but whether a kind's PATCH takes `fieldValidation` and `dryRun`;
 * without that answer `apply`, `create` and `replace` refuse to work. So: no schemas, one path for each kind.
 */
export function encodeOpenApiV2(kinds: readonly Kind[]): Buffer {
  const info = { title: 'orc', version: 'v1' };
  const document = { swagger: '2.0', info, paths: { path: kinds.map(pathItem) } };
  return Buffer.from(openApi.Document.encode(document).finish());
}

export const openApiV2Type = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';

function pathItem(served: Kind): openApi.NamedPathItem {
  const { group, version, kind } = served;
  const yaml = `group: ${JSON.stringify(group)}\nkind: ${kind}\nversion: ${version}\n`;
  const patch = {
    operationId: `patch${group}${version}${kind}`,
    parameters: ['dryRun', 'fieldValidation'].map(queryParameter),
    responses: {},
    vendorExtension: [{ name: 'x-kubernetes-group-version-kind', value: { yaml } }],
  };
  return { name: objectPath(served, (name) => `{${name}}`), value: { patch } };
}

function queryParameter(name: string): openApi.ParametersItem {
  const querySchema = { in: 'query', name, type: 'string' };
  return { parameter: { nonBodyParameter: { queryParameterSubSchema: querySchema } } };
}
