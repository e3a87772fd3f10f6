import type { AnyObject, Kind, KubeObject } from '../../api/kind.ts';
import type { OwnerReference } from '../../api/object-meta.ts';
import type { Fields } from '../../api/schema.ts';
import { type LabelSelector, matchesSelector } from '../../api/selector.ts';
import { formatKey, keyOf } from '../store/keys.ts';
import type { LoopDeps } from '../store/loop.ts';
import type { Cache, Index, ObjectChange, Objects } from '../store/objects.ts';

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

type KindIndex<F extends Fields> = Index<F> & { readonly kind: Kind<F> };

/** Objects of a kind by who controls them, and those without a controller by namespace. */
export const byController = <F extends Fields>(kind: Kind<F>): KindIndex<F> => ({
  name: `${kind.plural} by controller`,
  kind,
  valuesOf: (object) => [
    controllerOf(object)?.uid ?? `orphans of ${object.metadata.namespace ?? ''}`,
  ],
});

/** An owner with what says which objects are its own. */
type Selecting = AnyObject & { readonly spec: { readonly selector: LabelSelector } };

/** What an owner controls from now on: orphans that match become its own, what doesn't match any more is let go. */
export async function takeOwnership<F extends Fields>(
  { cache, objects }: LoopDeps,
  index: KindIndex<F>,
  owner: Selecting,
) {
  const { uid, namespace = '', deletionTimestamp } = owner.metadata;
  const matches = ({ metadata }: AnyObject) =>
    matchesSelector(owner.spec.selector, metadata.labels);
  const owned = cache.byIndex(index, uid);
  const kept = owned.filter(matches);
  // Nothing is adopted or let go once the owner goes.
  if (deletionTimestamp !== undefined) return { kept, adopted: [] };
  const adopted = cache
    .byIndex(index, `orphans of ${namespace}`)
    .filter((orphan) => orphan.metadata.deletionTimestamp === undefined && matches(orphan));
  const released = owned.filter((object) => !matches(object));
  const rewrite = (object: KubeObject<F>, references: readonly OwnerReference[]) =>
    writeReferences(objects, { kind: index.kind, object }, references);
  const present = ({ metadata }: AnyObject) => metadata.ownerReferences ?? [];
  const others = (object: AnyObject) => present(object).filter((owner) => owner.uid !== uid);
  await Promise.all([
    ...adopted.map((orphan) => rewrite(orphan, [...present(orphan), controllerReference(owner)])),
    ...released.map((object) => rewrite(object, others(object))),
  ]);
  return { kept, adopted };
}

export type Member<F extends Fields = Fields> = Readonly<{ kind: Kind<F>; object: KubeObject<F> }>;

export function writeReferences<F extends Fields>(
  objects: Objects,
  { kind, object }: Member<F>,
  ownerReferences: readonly OwnerReference[],
) {
  const { ownerReferences: _, ...rest } = object.metadata;
  // Who has none is an orphan, with no list at all: as in Kubernetes.
  const metadata = ownerReferences.length > 0 ? { ...rest, ownerReferences } : rest;
  return objects.update(kind, { ...object, metadata }, 'main');
}

/** The keys of those of this kind whom a change of what they may own concerns: who controls it or did, who would adopt it. */
export function concernedOwners(kind: Kind, { object, previous }: ObjectChange, cache: Cache) {
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
