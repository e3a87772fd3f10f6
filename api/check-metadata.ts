import * as field from './field-error.ts';
import {
  errorsOf,
  errorsOfEach,
  type FieldErrors,
  type FieldPath,
  invalidBecause,
} from './field-error.ts';
import type { Kind } from './kind.ts';
import { checkDnsLabel, checkLabelValue, checkQualifiedName } from './names.ts';
import type { ObjectMeta } from './object-meta.ts';

/** What a new object's metadata must fulfil, whatever its kind. */
export function checkMetadata(
  kind: Pick<Kind, 'namespaced' | 'checkName'>,
  metadata: ObjectMeta,
  at: FieldPath,
): FieldErrors {
  const { labels, annotations, finalizers, ownerReferences } = metadata;
  const controllers = ownerReferences?.filter(({ controller }) => controller === true) ?? [];
  return errorsOf(
    checkNames(kind, metadata, at),
    checkNamespace(kind, metadata, at),
    checkLabels(labels, at('labels')),
    checkAnnotations(annotations, at('annotations')),
    errorsOfEach(finalizers, at('finalizers'), checkFinalizer),
    controllers.length > 1 && field.invalid(at('ownerReferences'), ownerReferences, ONE_CONTROLLER),
  );
}

/** What an update must leave as it is. */
export function checkMetadataUpdate(
  next: ObjectMeta,
  previous: ObjectMeta,
  at: FieldPath,
): FieldErrors {
  const fields = ['name', 'namespace', 'uid', 'creationTimestamp'] as const;
  return [
    ...fields
      .filter((name) => next[name] !== previous[name])
      .map((name) => field.invalid(at(name), next[name] ?? '', 'field is immutable')),
    ...checkAddedFinalizers(next, previous, at('finalizers')),
  ];
}

export function checkLabels(
  labels: Readonly<Record<string, string>> = {},
  at: FieldPath,
): FieldErrors {
  return Object.entries(labels).flatMap(([key, value]) => [
    ...invalidBecause(at, key, checkQualifiedName(key)),
    ...invalidBecause(at, value, checkLabelValue(value)),
  ]);
}

export function checkAnnotations(
  annotations: Readonly<Record<string, string>> = {},
  at: FieldPath,
): FieldErrors {
  const entries = Object.entries(annotations);
  const bytes = entries.reduce((sum, pair) => sum + Buffer.byteLength(pair.join('')), 0);
  return errorsOf(
    entries.flatMap(([key]) => invalidBecause(at, key, checkQualifiedName(key.toLowerCase()))),
    bytes > MAX_ANNOTATION_BYTES && field.tooLong(at, MAX_ANNOTATION_BYTES),
  );
}

const MAX_ANNOTATION_BYTES = 262_144;
const ONE_CONTROLLER = 'only one reference can have controller set to true';
const STANDARD_FINALIZERS = ['foregroundDeletion', 'orphan', 'kubernetes'];

function checkNames(
  { checkName }: Pick<Kind, 'checkName'>,
  { name, generateName }: ObjectMeta,
  at: FieldPath,
): FieldErrors {
  if (name) return invalidBecause(at('name'), name, checkName(name));
  if (!generateName) return [field.required(at('name'), 'name or generateName is required')];
  const why = checkName(`${generateName.slice(0, 58)}a`);
  return invalidBecause(at('generateName'), generateName, why);
}

function checkNamespace(
  { namespaced }: Pick<Kind, 'namespaced'>,
  { namespace }: ObjectMeta,
  at: FieldPath,
): FieldErrors {
  if (!namespaced)
    return namespace ? [field.forbidden(at('namespace'), 'not allowed on this type')] : [];
  if (!namespace) return [field.required(at('namespace'))];
  return invalidBecause(at('namespace'), namespace, checkDnsLabel(namespace));
}

function checkFinalizer(finalizer: string, at: FieldPath): FieldErrors {
  const isWhole = finalizer.includes('/') || STANDARD_FINALIZERS.includes(finalizer);
  const why = isWhole
    ? checkQualifiedName(finalizer)
    : 'name is neither a standard finalizer name nor is it fully qualified';
  return invalidBecause(at, finalizer, why);
}

/** A finalizer that comes after the deletion would hold an object that everyone takes for gone. */
function checkAddedFinalizers(next: ObjectMeta, previous: ObjectMeta, at: FieldPath): FieldErrors {
  if (previous.deletionTimestamp === undefined) return [];
  const grows = next.finalizers?.some((one) => !previous.finalizers?.includes(one));
  return errorsOf(
    grows && field.forbidden(at, 'no new finalizers can be added if the object is being deleted'),
  );
}
