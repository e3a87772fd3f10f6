import type { AnyObject, Kind, KubeObject } from '../../api/kind.ts';
import type { LabelSelector } from '../../api/label-selector.ts';
import type { OwnerReference } from '../../api/object-meta.ts';
import type { Fields } from '../../api/schema.ts';
import { matchesSelector } from '../../api/selector.ts';
import type { Cache, Index } from '../store/cache.ts';
import { keyOf } from '../store/keys.ts';
import type { Objects } from '../store/objects.ts';

/** The one owner that controls it. */
export const controllerOf = ({
  metadata,
}: Pick<AnyObject, 'metadata'>): OwnerReference | undefined =>
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

/** What an owner controls, and what of its namespace nobody does. */
export function family<F extends Fields>(cache: Cache, index: Index<F>, owner: AnyObject) {
  const { uid, namespace = '' } = owner.metadata;
  return {
    owned: cache.byIndex(index, uid),
    orphans: cache.byIndex(index, `orphans of ${namespace}`),
  };
}

export interface Claiming<T> {
  readonly owner: AnyObject;
  readonly selector: LabelSelector;
  readonly owned: readonly T[];
  readonly orphans: readonly T[];
}

/** Orphans that match become the owner's; what it owns and doesn't match is let go. Nothing, once the owner goes. */
export function planOwnership<T extends AnyObject>(claiming: Claiming<T>): Ownership<T> {
  const { owner, selector, owned, orphans } = claiming;
  const matches = ({ metadata }: T) => matchesSelector(selector, metadata.labels);
  const isLiving = ({ metadata }: AnyObject) => metadata.deletionTimestamp === undefined;
  if (!isLiving(owner)) return { kept: owned.filter(matches), adopt: [], release: [] };
  return {
    kept: owned.filter(matches),
    adopt: orphans.filter((orphan) => isLiving(orphan) && matches(orphan)),
    release: owned.filter((object) => !matches(object)),
  };
}

export interface Ownership<T> {
  readonly kept: readonly T[];
  readonly adopt: readonly T[];
  readonly release: readonly T[];
}

export async function applyOwnership<F extends Fields>(
  objects: Objects,
  kind: Kind<F>,
  plan: Ownership<KubeObject<F>> & { readonly owner: AnyObject },
): Promise<void> {
  const reference = controllerReference(plan.owner);
  const referencesOf = (object: KubeObject<F>) => object.metadata.ownerReferences ?? [];
  await Promise.all([
    ...plan.adopt.map((object) =>
      rewrite(objects, kind, { object, ownerReferences: [...referencesOf(object), reference] }),
    ),
    ...plan.release.map((object) => {
      const others = referencesOf(object).filter(({ uid }) => uid !== reference.uid);
      return rewrite(objects, kind, { object, ownerReferences: others });
    }),
  ]);
}

function rewrite<F extends Fields>(
  objects: Objects,
  kind: Kind<F>,
  next: { readonly object: KubeObject<F>; readonly ownerReferences: readonly OwnerReference[] },
) {
  const { object, ownerReferences } = next;
  return objects.update(
    kind,
    { ...object, metadata: { ...object.metadata, ownerReferences } },
    'main',
  );
}

/** The key of the controller, if it is of this kind: what wakes when its object changes. */
export function controllerKey(kind: Kind, object: AnyObject | undefined): readonly string[] {
  const controller = object && controllerOf(object);
  if (!controller || controller.kind !== kind.kind) return [];
  return [`${keyOf(object).namespace}/${controller.name}`];
}
