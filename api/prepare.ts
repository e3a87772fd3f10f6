import { checkMetadata, checkMetadataUpdate } from './check-metadata.ts';
import { checkShape } from './check-shape.ts';
import * as field from './field-error.ts';
import { type FieldErrors, fieldPath } from './field-error.ts';
import { apiVersionOf, type Kind, type KubeObject, type NewObject } from './kind.ts';
import { fillDefaults, isObject, normalize, pruneUnknown, pruneUnsupported } from './normalize.ts';
import type { ObjectMeta } from './object-meta.ts';
import type { Fields } from './schema.ts';

export type Parsed<T> =
  | { readonly object: T; readonly warnings: FieldErrors }
  | { readonly errors: FieldErrors };

export interface ParseOptions {
  /** The namespace of the request; taken when the object names none. */
  readonly namespace?: string | undefined;
  /** What becomes of unknown fields: refused (the default), dropped and told, or dropped. */
  readonly fieldValidation?: 'Strict' | 'Warn' | 'Ignore';
}

/**
 * JSON as a client sends it to a whole, valid object of the kind. Steps: names of the kind itself, shape, schema
 * defaults, the kind's defaults, metadata, the kind's own rules. All errors of a step are given at once.
 */
export function parseObject<F extends Fields>(
  kind: Kind<F>,
  json: unknown,
  options: ParseOptions = {},
): Parsed<NewObject<F>> {
  const parsed = parseShape(kind, json, options);
  if ('errors' in parsed)
    return { errors: [...parsed.errors, ...errorsBehind(kind, json, options)] };
  const errors = [
    ...checkWhole(kind, parsed.object),
    ...kind.validateNew(parsed.object, fieldPath()),
  ];
  return errors.length > 0 ? { errors } : parsed;
}

/** The same for what is only answered and never stored: it has no name. */
export function parseRequest<F extends Fields>(
  kind: Kind<F>,
  json: unknown,
  options: ParseOptions = {},
): Parsed<KubeObject<F>> {
  const parsed = parseShape(kind, json, options);
  if ('errors' in parsed) return parsed;
  const errors = kind.validate(parsed.object, fieldPath());
  return errors.length > 0 ? { errors } : parsed;
}

/** A field that orc doesn't know hides no other error: what is left without such fields is checked as well. */
function errorsBehind<F extends Fields>(kind: Kind<F>, json: unknown, options: ParseOptions) {
  const rest = parseShape(kind, pruneUnsupported(kind.schema, json), options);
  return 'errors' in rest ? [] : checkWhole(kind, rest.object);
}

/** The same for an object that replaces another: what may not change is checked too. */
export function parseUpdate<F extends Fields>(
  kind: Kind<F>,
  json: unknown,
  options: ParseOptions & { readonly previous: KubeObject<F> },
): Parsed<KubeObject<F>> {
  const { previous } = options;
  const { namespace } = previous.metadata;
  const parsed = parseShape(kind, json, { ...options, namespace });
  if ('errors' in parsed) return parsed;
  const object = withStoredMetadata(kind.inherit(parsed.object, previous), previous);
  const errors = [
    ...checkMetadataUpdate(previous.metadata)(object.metadata, fieldPath('metadata')),
    ...checkWhole(kind, object),
    ...kind.validateUpdate(object, previous, fieldPath()),
  ];
  return errors.length > 0 ? { errors } : { object, warnings: parsed.warnings };
}

function parseShape<F extends Fields>(
  kind: Kind<F>,
  json: unknown,
  { namespace, fieldValidation = 'Strict' }: ParseOptions,
): Parsed<KubeObject<F>> {
  const named = withTypeAndNamespace(kind, normalize(kind.schema, json), namespace);
  const shapeErrors = [...checkType(kind, named), ...checkShape(kind.schema, named, fieldPath())];
  const isStrict = fieldValidation === 'Strict';
  const errors = shapeErrors.filter(({ reason }) => isStrict || reason !== 'FieldUnknown');
  if (errors.length > 0) return { errors };
  const known = shapeErrors.length > 0 ? pruneUnknown(kind.schema, named) : named;
  return {
    object: inOrder(kind.applyDefaults(fillDefaults(kind.schema, known) as KubeObject<F>)),
    warnings: fieldValidation === 'Warn' ? shapeErrors : [],
  };
}

/** As everyone writes objects: what it is, what it shall be, how it is. */
function inOrder<T extends object>(object: T): T {
  // A key keeps the place at which it is first given.
  const { status, ...others }: T & { readonly status?: unknown } = object;
  const first = { apiVersion: '', kind: '', metadata: {}, ...('spec' in object && { spec: {} }) };
  return { ...first, ...others, ...(status !== undefined && { status }) } as T;
}

/** Clients may leave out what the URL says already: client-node sends neither kind nor apiVersion. */
function withTypeAndNamespace(kind: Kind, json: unknown, namespace?: string): unknown {
  if (!isObject(json)) return json;
  const metadata = json.metadata ?? {};
  const completed =
    kind.namespaced && namespace !== undefined && isObject(metadata) && !metadata.namespace
      ? { ...metadata, namespace }
      : metadata;
  return {
    ...json,
    apiVersion: json.apiVersion ?? apiVersionOf(kind),
    kind: json.kind ?? kind.kind,
    metadata: completed,
  };
}

function checkType(kind: Kind, object: unknown): FieldErrors {
  if (!isObject(object)) return [];
  const expected = { apiVersion: apiVersionOf(kind), kind: kind.kind };
  return (['apiVersion', 'kind'] as const)
    .filter((name) => object[name] !== expected[name])
    .map((name) => {
      const why = `must be ${JSON.stringify(expected[name])} here`;
      return field.invalid(fieldPath(name), object[name], why);
    });
}

function checkWhole<F extends Fields>(kind: Kind<F>, object: KubeObject<F>): FieldErrors {
  const at = fieldPath();
  return [...checkMetadata(kind)(object.metadata, at('metadata')), ...kind.validate(object, at)];
}

/** What the store wrote and a client may leave out. */
function withStoredMetadata<F extends Fields>(
  next: KubeObject<F>,
  { metadata: previous }: KubeObject<F>,
): KubeObject<F> {
  const kept = {
    name: next.metadata.name ?? previous.name,
    uid: next.metadata.uid ?? previous.uid,
    resourceVersion: next.metadata.resourceVersion ?? previous.resourceVersion,
    creationTimestamp: previous.creationTimestamp,
    generation: previous.generation,
    deletionTimestamp: previous.deletionTimestamp,
    deletionGracePeriodSeconds: previous.deletionGracePeriodSeconds,
    managedFields: managedFieldsOf(next.metadata, previous),
  };
  const metadata = Object.fromEntries(
    Object.entries({ ...next.metadata, ...kept }).filter(([, value]) => value !== undefined),
  );
  return { ...next, metadata } as KubeObject<F>;
}

/** None are the ones before; a single empty entry is how clients clear them. */
function managedFieldsOf({ managedFields: next = [] }: ObjectMeta, previous: ObjectMeta) {
  if (next.length === 0) return previous.managedFields;
  return next.length === 1 && Object.keys(next[0] ?? {}).length === 0 ? undefined : next;
}
