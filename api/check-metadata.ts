import * as field from './field-error.ts';
import type { Kind } from './kind.ts';
import { checkDnsLabel, checkLabelValue, checkQualifiedName } from './names.ts';
import type { ObjectMeta } from './object-meta.ts';
import type { Labels } from './selector.ts';

/** What a new object's metadata must fulfil, whatever its kind. */
export const checkMetadata =
  (kind: Kind): field.Rule<ObjectMeta> =>
  (metadata, at) => {
    const { labels, annotations, finalizers, ownerReferences } = metadata;
    const controllers = ownerReferences?.filter(({ controller }) => controller === true) ?? [];
    return field.errorsOf(
      checkNames(kind)(metadata, at),
      checkNamespace(kind)(metadata, at),
      checkLabels(labels, at('labels')),
      checkAnnotations(annotations, at('annotations')),
      field.errorsOfEach(finalizers, at('finalizers'), checkFinalizer),
      controllers.length > 1 &&
        field.invalid(at('ownerReferences'), ownerReferences, ONE_CONTROLLER),
    );
  };

/** What an update must leave as it is. */
export const checkMetadataUpdate =
  (previous: ObjectMeta): field.Rule<ObjectMeta> =>
  (next, at) => {
    const names = ['name', 'namespace', 'uid'] as const;
    return field.errorsOf(
      names
        .filter((name) => next[name] !== previous[name])
        .map((name) => field.invalid(at(name), next[name] ?? '', 'field is immutable')),
      checkAddedFinalizers(previous)(next, at('finalizers')),
    );
  };

export const checkLabels: field.Rule<Labels | undefined> = (labels = {}, at) =>
  Object.entries(labels).flatMap(([key, value]) => [
    ...field.check(at, key, checkQualifiedName),
    ...field.check(at, value, checkLabelValue),
  ]);

export const checkAnnotations: field.Rule<Labels | undefined> = (annotations = {}, at) => {
  const entries = Object.entries(annotations);
  const bytes = entries.reduce((sum, pair) => sum + Buffer.byteLength(pair.join('')), 0);
  return field.errorsOf(
    entries.flatMap(([key]) => field.check(at, key, () => checkQualifiedName(key.toLowerCase()))),
    bytes > MAX_ANNOTATION_BYTES && field.tooLong(at, MAX_ANNOTATION_BYTES),
  );
};

const MAX_ANNOTATION_BYTES = 262_144;
const ONE_CONTROLLER = 'only one reference can have controller set to true';
const HALF_A_NAME = 'name is neither a standard finalizer name nor is it fully qualified';
const LATE_FINALIZER = 'no new finalizers can be added if the object is being deleted';
const STANDARD_FINALIZERS = ['foregroundDeletion', 'orphan', 'kubernetes'];

const checkNames =
  ({ checkName }: Kind): field.Rule<ObjectMeta> =>
  ({ name, generateName }, at) => {
    if (name) return field.check(at('name'), name, checkName);
    if (!generateName) return [field.required(at('name'), 'name or generateName is required')];
    const example = `${generateName.slice(0, 58)}a`;
    return field.check(at('generateName'), generateName, () => checkName(example));
  };

const checkNamespace =
  ({ namespaced }: Kind): field.Rule<ObjectMeta> =>
  ({ namespace }, at) => {
    const path = at('namespace');
    if (!namespaced) return namespace ? [field.forbidden(path, 'not allowed on this type')] : [];
    return namespace ? field.check(path, namespace, checkDnsLabel) : [field.required(path)];
  };

const checkFinalizer: field.Rule<string> = (finalizer, at) =>
  finalizer.includes('/') || STANDARD_FINALIZERS.includes(finalizer)
    ? field.check(at, finalizer, checkQualifiedName)
    : [field.invalid(at, finalizer, HALF_A_NAME)];

/** A finalizer that comes after the deletion would hold an object that everyone takes for gone. */
const checkAddedFinalizers =
  ({ deletionTimestamp, finalizers = [] }: ObjectMeta): field.Rule<ObjectMeta> =>
  (next, at) => {
    const grows = next.finalizers?.some((one) => !finalizers.includes(one));
    return deletionTimestamp !== undefined && grows ? [field.forbidden(at, LATE_FINALIZER)] : [];
  };
