import { ageColumn, type Column, nameColumn } from '../../api/columns.ts';
import type { AnyObject, Kind } from '../../api/kind.ts';
import type { Format, IncludeObject } from './media-type.ts';

/** meta.k8s.io/v1 Table: what `kubectl get` prints. The server computes the cells, so a client needs to know no kind. */

export type TableRequest = Readonly<{ kind: Kind; includeObject: IncludeObject; now: number }>;

export type Encoding = Readonly<{ kind: Kind; format: Format; now: number }>;

/** One object as a client wants it. */
export function encodeOne(object: AnyObject, { kind, format, now }: Encoding): string {
  if (format.as === 'object') return encodeObject(object);
  if (format.as === 'metadata') return encodeMetadata(object);
  const request = { kind, includeObject: format.includeObject, now };
  return encodeTable(request, [object], { resourceVersion: object.metadata.resourceVersion });
}

/** `head` is the JSON of what comes before the rows: kind, metadata, columns. */
export function encodeTable(
  request: TableRequest,
  objects: readonly AnyObject[],
  metadata: Readonly<Record<string, unknown>>,
): string {
  const head = { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata };
  const columns = columnsOf(request.kind);
  const definitions = JSON.stringify(columns.map(columnDefinition));
  const rows = objects.map((object) => encodeRow(request, columns, object));
  return `${JSON.stringify(head).slice(0, -1)},"columnDefinitions":${definitions},"rows":[${rows.join(',')}]}`;
}

/** The kind's own columns; Name before and Age behind those that are always shown, unless the kind places them or has a time. */
function columnsOf(kind: Kind): readonly Column<AnyObject>[] {
  const declared = kind.columns as readonly Column<AnyObject>[];
  if (kind.defined) return [nameColumn, ...declared];
  const has = (name: string) => declared.some((column) => column.name === name);
  const isDated = declared.some(({ type }) => type === 'date');
  const wide = declared.filter((column) => column.wide);
  return [
    ...(has('Name') ? [] : [nameColumn]),
    ...declared.filter((column) => !column.wide),
    ...(has('Age') || has('Created At') || isDated ? [] : [ageColumn]),
    ...wide,
  ];
}

function columnDefinition(column: Column<AnyObject>) {
  const format = column.name === 'Name' ? 'name' : '';
  const { name, type, about, wide } = column;
  return { name, type, format, description: about, priority: wide ? 1 : 0 };
}

function encodeRow(
  { includeObject, now }: TableRequest,
  columns: readonly Column<AnyObject>[],
  object: AnyObject,
): string {
  const cells = JSON.stringify(columns.map((column) => column.of(object, now)));
  const carried = carriedObject(object, includeObject);
  return carried === undefined ? `{"cells":${cells}}` : `{"cells":${cells},"object":${carried}}`;
}

function carriedObject(object: AnyObject, include: IncludeObject): string | undefined {
  if (include === 'None') return undefined;
  return include === 'Object' ? encodeObject(object) : encodeMetadata(object);
}

const objectJson = new WeakMap<AnyObject, string>();
const metadataJson = new WeakMap<AnyObject, string>();

/**
 * An object's JSON, made once for each object: objects from the cache are frozen, so identity says it all. Lists and
 * every watcher share it.
 */
export const encodeObject = (object: AnyObject): string =>
  objectJson.getOrInsertComputed(object, JSON.stringify);

/** PartialObjectMetadata. */
export const encodeMetadata = (object: AnyObject): string =>
  metadataJson.getOrInsertComputed(object, ({ metadata }) =>
    JSON.stringify({ kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata }),
  );
