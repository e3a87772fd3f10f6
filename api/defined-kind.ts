import assert from 'node:assert';
import type { Column } from './columns.ts';
import type { CustomResourceDefinition } from './custom-resource-definition.ts';
import { formatSince } from './format-age.ts';
import { formatValue, type JsonPath, JsonPathError, parseJsonPath } from './json-path.ts';
import { checkInTime, checkValues, type JsonSchema } from './json-schema.ts';
import { type AnyObject, type Kind, kind, type Subresource } from './kind.ts';
import { schemaOf } from './structural-schema.ts';

/** The kind that an established definition stands for. */
export function kindOf({ metadata, spec, status }: CustomResourceDefinition): Kind {
  const [version] = spec.versions;
  assert(version, 'a definition has a version');
  const names = status.acceptedNames ?? spec.names;
  const { status: ownStatus, scale } = version.subresources ?? {};
  const subresources: readonly Subresource[] = [
    ...(ownStatus ? (['status'] as const) : []),
    ...(scale ? (['scale'] as const) : []),
  ];
  const schema = version.schema.openAPIV3Schema as JsonSchema;
  const { shape } = schemaOf(schema);
  assert(shape.kind === 'object', 'a structural schema is of an object');
  const { apiVersion: _, kind: __, metadata: ___, ...fields } = shape.fields;
  return kind({
    ...{ kind: spec.names.kind, plural: spec.names.plural, singular: names.singular },
    ...{ shortNames: names.shortNames ?? [], categories: names.categories ?? [] },
    ...{ group: spec.group, version: version.name, namespaced: spec.scope === 'Namespaced' },
    ...{ about: schema.description ?? '', fields, others: shape.others, subresources },
    ...{ hasStatus: ownStatus !== undefined, hasGeneration: true },
    columns: (version.additionalPrinterColumns ?? [ageColumn]).map(columnOf),
    ...(scale && { scale }),
    validate: (object, at) =>
      checkInTime(object.metadata.name, at, () => checkValues(schema, object, at)),
    defined: { uid: metadata.uid, schema },
  });
}

type PrinterColumn = NonNullable<
  CustomResourceDefinition['spec']['versions'][number]['additionalPrinterColumns']
>[number];

const ageColumn: PrinterColumn = {
  name: 'Age',
  type: 'date',
  description: 'Time since the object was created.',
  jsonPath: '.metadata.creationTimestamp',
};

function columnOf({ name, type, description = '', priority = 0, jsonPath }: PrinterColumn) {
  const read = parseJsonPath(jsonPath);
  const column: Column<AnyObject> = {
    ...{ name, type, about: description, wide: priority > 0 },
    of: (object, now) => cellOf(type, firstOf(read, object), now),
  };
  return column;
}

/** What the path can't look into has nothing to show. */
function firstOf(read: JsonPath, object: AnyObject): unknown {
  try {
    return read(object)[0];
  } catch (error) {
    if (error instanceof JsonPathError) return undefined;
    throw error;
  }
}

function cellOf(type: PrinterColumn['type'], value: unknown, now: number) {
  if (value === undefined || value === null) return null;
  if (type === 'string') return formatValue(value);
  if (type === 'date') return typeof value === 'string' ? formatSince(value, now) : null;
  if (typeof value === 'boolean') return type === 'boolean' ? value : null;
  if (typeof value !== 'number' || type === 'boolean') return null;
  return type === 'integer' ? Math.trunc(value) : value;
}
