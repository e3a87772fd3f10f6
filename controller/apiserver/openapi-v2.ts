import type { Kind } from '../../api/kind.ts';
import { lengthDelimited, text } from './proto-writer.ts';
import { objectPath } from './resource-path.ts';

/**
 * /openapi/v2 as Protobuf (gnostic's openapi_v2 Document). kubectl reads nothing of it but whether a kind's PATCH takes
 * `fieldValidation` and `dryRun`; without that answer `apply`, `create` and `replace` refuse to work. So: no schemas,
 * one path for each kind. Field numbers are those of OpenAPIv2.proto.
 */
export function encodeOpenApiV2(kinds: readonly Kind[]): Buffer {
  return Buffer.concat([
    text(document.swagger, '2.0'),
    lengthDelimited(document.info, [text(info.title, 'orc'), text(info.version, 'v1')]),
    lengthDelimited(document.paths, kinds.map(pathItem)),
  ]);
}

export const openApiV2Type = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';

const document = { swagger: 1, info: 2, paths: 8 };
const info = { title: 1, version: 2 };
const paths = { path: 2 };
const named = { name: 1, value: 2 };
const item = { patch: 7 };
const operation = { operationId: 5, parameters: 8, responses: 9, vendorExtension: 13 };
const query = { in: 2, name: 4, type: 6 };
const any = { yaml: 2 };

function pathItem(kind: Kind): Buffer {
  const patch = lengthDelimited(item.patch, [
    text(operation.operationId, `patch${kind.group}${kind.version}${kind.kind}`),
    queryParameter('dryRun'),
    queryParameter('fieldValidation'),
    lengthDelimited(operation.responses, []),
    groupVersionKind(kind),
  ]);
  return lengthDelimited(paths.path, [
    text(
      named.name,
      objectPath(kind, (name) => `{${name}}`),
    ),
    lengthDelimited(named.value, [patch]),
  ]);
}

/** ParametersItem.parameter → Parameter.non_body_parameter → NonBodyParameter.query_parameter_sub_schema. */
function queryParameter(name: string): Buffer {
  const schema = lengthDelimited(3, [
    text(query.in, 'query'),
    text(query.name, name),
    text(query.type, 'string'),
  ]);
  return lengthDelimited(operation.parameters, [
    lengthDelimited(1, [lengthDelimited(2, [schema])]),
  ]);
}

function groupVersionKind({ group, version, kind }: Kind): Buffer {
  const yaml = `group: ${JSON.stringify(group)}\nkind: ${kind}\nversion: ${version}\n`;
  return lengthDelimited(operation.vendorExtension, [
    text(named.name, 'x-kubernetes-group-version-kind'),
    lengthDelimited(named.value, [text(any.yaml, yaml)]),
  ]);
}
