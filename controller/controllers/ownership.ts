import type { AnyObject, Kind, KubeObject } from '../../api/kind.ts';
import type { LabelSelector } from '../../api/label-selector.ts';
import type { OwnerReference } from '../../api/object-meta.ts';
import type { Fields } from '../../api/schema.ts';
import { matchesSelector } from '../../api/selector.ts';
import type { Cache, Index, ObjectChange } from '../store/cache.ts';
import { formatKey, keyOf } from '../store/keys.ts';
import type { LoopDeps } from '../store/loop.ts';

/** The one owner that controls it. */
const controllerOf = ({ metadata }: Pick<AnyObject, 'metadata'>): OwnerReference | undefined =>
  metadata.ownerReferences?.find((owner) => owner.controller === true);

export const controllerReference = ({ apiVersion, kind, metadata }: AnyObject): OwnerReference => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid,
  controller: true,
  blockOwnerDeletion: true,
});

/** Objects of a kind by who controls them, and those without a controller by namespace. */
export function byController<F extends Fields>(kind: Kind<F>): Index<F> {
  return {
    name: `${kind.plural} by controller`,
    kind,
    valuesOf: (object) => [
      controllerOf(object)?.uid ?? `orphans of ${object.metadata.namespace ?? ''}`,
    ],
  };
}

/** An owner with what says which objects are its own. */
type Selecting = AnyObject & { readonly spec: { readonly selector: LabelSelector } };

/** What an owner controls from now on: orphans that match become its own, what doesn't match any more is let go. */
export async function takeOwnership<F extends Fields>(
  { cache, objects }: LoopDeps,
  index: Index<F>,
  owner: Selecting,
): Promise<Ownership<KubeObject<F>>> {
  const { uid, namespace = '' } = owner.metadata;
  const owned = cache.byIndex(index, uid);
  const orphans = cache.byIndex(index, `orphans of ${namespace}`);
  const ownership = planOwnership(owner, owned, orphans);
  const rewrite = (object: KubeObject<F>, ownerReferences: readonly OwnerReference[]) =>
    objects.update(
      index.kind,
      { ...object, metadata: { ...object.metadata, ownerReferences } },
      'main',
    );
  const referencesOf = ({ metadata }: AnyObject) => metadata.ownerReferences ?? [];
  await Promise.all([
    ...ownership.adopt.map((object) =>
      rewrite(object, [...referencesOf(object), controllerReference(owner)]),
    ),
    ...ownership.release.map((object) =>
      rewrite(
        object,
        referencesOf(object).filter((reference) => reference.uid !== uid),
      ),
    ),
  ]);
  return ownership;
}

/** Nothing is adopted or let go once the owner goes. */
function planOwnership<T extends AnyObject>(
  { metadata, spec }: Selecting,
  owned: readonly T[],
  orphans: readonly T[],
): Ownership<T> {
  const matches = (object: T) => matchesSelector(spec.selector, object.metadata.labels);
  const kept = owned.filter(matches);
  if (metadata.deletionTimestamp !== undefined) return { kept, adopt: [], release: [] };
  return {
    kept,
    adopt: orphans.filter(
      (orphan) => orphan.metadata.deletionTimestamp === undefined && matches(orphan),
    ),
    release: owned.filter((object) => !matches(object)),
  };
}

interface Ownership<T> {
  readonly kept: readonly T[];
  readonly adopt: readonly T[];
  readonly release: readonly T[];
}

/** The keys of those of this kind whom a change of what they may own concerns: who controls it or did, who would adopt it. */
export function concernedOwners(
  kind: Kind,
  { object, previous }: ObjectChange,
  cache: Cache,
): readonly string[] {
  const controllers = [object, previous].flatMap((one) => controllerKey(kind, one));
  if (!object || controllerOf(object)) return controllers;
  const { namespace, labels } = object.metadata;
  const adopting = (cache.list(kind, namespace) as readonly Selecting[]).filter(({ spec }) =>
    matchesSelector(spec.selector, labels),
  );
  return [...controllers, ...adopting.map((owner) => formatKey(keyOf(owner)))];
}

/** The key of the controller, if it is of this kind: what wakes when its object changes. */
export function controllerKey(kind: Kind, object: AnyObject | undefined): readonly string[] {
  const controller = object && controllerOf(object);
  if (!controller || controller.kind !== kind.kind) return [];
  return [`${keyOf(object).namespace}/${controller.name}`];
}
