import {
  errorsOf,
  errorsOfEach,
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidBecause,
  invalidField,
  requiredField,
  tooLong,
} from './field-error.ts';
import type { Kind } from './kind.ts';
import { checkDnsLabel, checkLabelValue, checkQualifiedName } from './names.ts';
import type { ObjectMeta } from './object-meta.ts';

/** What a new object's metadata must fulfil, whatever its kind. */
export function checkMetadata(
  kind: Pick<Kind, 'namespaced' | 'checkName'>,
  metadata: ObjectMeta,
  at: FieldPath,
): readonly FieldError[] {
  const { labels, annotations, finalizers, ownerReferences } = metadata;
  const controllers = ownerReferences?.filter(({ controller }) => controller === true) ?? [];
  return errorsOf(
    checkNames(kind, metadata, at),
    checkNamespace(kind, metadata, at),
    checkLabels(labels, at('labels')),
    checkAnnotations(annotations, at('annotations')),
    errorsOfEach(finalizers, at('finalizers'), checkFinalizer),
    controllers.length > 1 && invalidField(at('ownerReferences'), ownerReferences, ONE_CONTROLLER),
  );
}

/** What an update must leave as it is. */
export function checkMetadataUpdate(
  next: ObjectMeta,
  previous: ObjectMeta,
  at: FieldPath,
): readonly FieldError[] {
  const fields = ['name', 'namespace', 'uid', 'creationTimestamp'] as const;
  return [
    ...fields
      .filter((field) => next[field] !== previous[field])
      .map((field) => invalidField(at(field), next[field] ?? '', 'field is immutable')),
    ...checkAddedFinalizers(next, previous, at('finalizers')),
  ];
}

export function checkLabels(
  labels: Readonly<Record<string, string>> = {},
  at: FieldPath,
): readonly FieldError[] {
  return Object.entries(labels).flatMap(([key, value]) => [
    ...invalidBecause(at, key, checkQualifiedName(key)),
    ...invalidBecause(at, value, checkLabelValue(value)),
  ]);
}

export function checkAnnotations(
  annotations: Readonly<Record<string, string>> = {},
  at: FieldPath,
): readonly FieldError[] {
  const entries = Object.entries(annotations);
  const bytes = entries.reduce((sum, pair) => sum + Buffer.byteLength(pair.join('')), 0);
  return errorsOf(
    entries.flatMap(([key]) => invalidBecause(at, key, checkQualifiedName(key.toLowerCase()))),
    bytes > MAX_ANNOTATION_BYTES && tooLong(at, MAX_ANNOTATION_BYTES),
  );
}

const MAX_ANNOTATION_BYTES = 262_144;
const ONE_CONTROLLER = 'only one reference can have controller set to true';
const STANDARD_FINALIZERS = ['foregroundDeletion', 'orphan', 'kubernetes'];

function checkNames(
  { checkName }: Pick<Kind, 'checkName'>,
  { name, generateName }: ObjectMeta,
  at: FieldPath,
): readonly FieldError[] {
  if (name) return invalidBecause(at('name'), name, checkName(name));
  if (!generateName) return [requiredField(at('name'), 'name or generateName is required')];
  const why = checkName(`${generateName.slice(0, 58)}a`);
  return invalidBecause(at('generateName'), generateName, why);
}

function checkNamespace(
  { namespaced }: Pick<Kind, 'namespaced'>,
  { namespace }: ObjectMeta,
  at: FieldPath,
): readonly FieldError[] {
  if (!namespaced)
    return namespace ? [forbiddenField(at('namespace'), 'not allowed on this type')] : [];
  if (!namespace) return [requiredField(at('namespace'))];
  return invalidBecause(at('namespace'), namespace, checkDnsLabel(namespace));
}

function checkFinalizer(finalizer: string, at: FieldPath): readonly FieldError[] {
  const isWhole = finalizer.includes('/') || STANDARD_FINALIZERS.includes(finalizer);
  const why = isWhole
    ? checkQualifiedName(finalizer)
    : 'name is neither a standard finalizer name nor is it fully qualified';
  return invalidBecause(at, finalizer, why);
}

/** A finalizer that comes after the deletion would hold an object that everyone takes for gone. */
function checkAddedFinalizers(
  next: ObjectMeta,
  previous: ObjectMeta,
  at: FieldPath,
): readonly FieldError[] {
  if (previous.deletionTimestamp === undefined) return [];
  const grows = next.finalizers?.some((one) => !previous.finalizers?.includes(one));
  return errorsOf(
    grows && forbiddenField(at, 'no new finalizers can be added if the object is being deleted'),
  );
}
