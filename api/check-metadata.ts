import * as field from './field-error.ts';
import { errorsOf, errorsOfEach, type FieldErrors, type FieldPath } from './field-error.ts';
import type { Kind } from './kind.ts';
import { checkDnsLabel, checkLabelValue, checkQualifiedName } from './names.ts';
import type { ObjectMeta } from './object-meta.ts';
import type { Labels } from './selector.ts';

/** What a new object's metadata must fulfil, whatever its kind. */
export function checkMetadata(kind: Kind, metadata: ObjectMeta, at: FieldPath): FieldErrors {
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

export function checkLabels(labels: Labels = {}, at: FieldPath): FieldErrors {
  return Object.entries(labels).flatMap(([key, value]) => [
    ...field.check(at, key, checkQualifiedName),
    ...field.check(at, value, checkLabelValue),
  ]);
}

export function checkAnnotations(annotations: Labels = {}, at: FieldPath): FieldErrors {
  const entries = Object.entries(annotations);
  const bytes = entries.reduce((sum, pair) => sum + Buffer.byteLength(pair.join('')), 0);
  return errorsOf(
    entries.flatMap(([key]) => field.check(at, key, () => checkQualifiedName(key.toLowerCase()))),
    bytes > MAX_ANNOTATION_BYTES && field.tooLong(at, MAX_ANNOTATION_BYTES),
  );
}

const MAX_ANNOTATION_BYTES = 262_144;
const ONE_CONTROLLER = 'only one reference can have controller set to true';
const HALF_A_NAME = 'name is neither a standard finalizer name nor is it fully qualified';
const STANDARD_FINALIZERS = ['foregroundDeletion', 'orphan', 'kubernetes'];

function checkNames(
  { checkName }: Kind,
  { name, generateName }: ObjectMeta,
  at: FieldPath,
): FieldErrors {
  if (name) return field.check(at('name'), name, checkName);
  if (!generateName) return [field.required(at('name'), 'name or generateName is required')];
  return field.check(at('generateName'), generateName, (stem) =>
    checkName(`${stem.slice(0, 58)}a`),
  );
}

function checkNamespace(
  { namespaced }: Kind,
  { namespace }: ObjectMeta,
  at: FieldPath,
): FieldErrors {
  if (!namespaced)
    return namespace ? [field.forbidden(at('namespace'), 'not allowed on this type')] : [];
  if (!namespace) return [field.required(at('namespace'))];
  return field.check(at('namespace'), namespace, checkDnsLabel);
}

function checkFinalizer(finalizer: string, at: FieldPath): FieldErrors {
  const isWhole = finalizer.includes('/') || STANDARD_FINALIZERS.includes(finalizer);
  return isWhole
    ? field.check(at, finalizer, checkQualifiedName)
    : [field.invalid(at, finalizer, HALF_A_NAME)];
}

/** A finalizer that comes after the deletion would hold an object that everyone takes for gone. */
function checkAddedFinalizers(next: ObjectMeta, previous: ObjectMeta, at: FieldPath): FieldErrors {
  if (previous.deletionTimestamp === undefined) return [];
  const grows = next.finalizers?.some((one) => !previous.finalizers?.includes(one));
  return errorsOf(
    grows && field.forbidden(at, 'no new finalizers can be added if the object is being deleted'),
  );
}
