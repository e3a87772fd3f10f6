import type { AnyObject } from '../../api/kind.ts';
import type { OwnerReference } from '../../api/object-meta.ts';
import { foregroundFinalizer, orphanFinalizer } from '../store/deletion.ts';

export interface GarbageObservation {
  readonly object: AnyObject;
  /** The owner that a reference means, if it still exists: same name and same uid. */
  ownerOf(reference: OwnerReference): AnyObject | undefined;
  readonly dependents: readonly AnyObject[];
}

export type GarbageAction =
  /** Its owners are gone, or wait for it to go. */
  | { readonly kind: 'delete'; readonly propagationPolicy: 'Background' | 'Foreground' }
  /** References to owners that don't exist. */
  | { readonly kind: 'keep-references'; readonly references: readonly OwnerReference[] }
  /** Dependents that go before their owner does. */
  | { readonly kind: 'delete-dependents'; readonly dependents: readonly AnyObject[] }
  /** Dependents that stay without their owner. */
  | { readonly kind: 'disown'; readonly dependents: readonly AnyObject[] }
  | { readonly kind: 'remove-finalizer'; readonly finalizer: string }
  | { readonly kind: 'none' };

/** The next step for one object, as an owner that goes or as a dependent that is left. */
export function planGarbage(observation: GarbageObservation): GarbageAction {
  const { metadata } = observation.object;
  if (metadata.deletionTimestamp === undefined) return planDependent(observation);
  if (metadata.finalizers?.includes(orphanFinalizer)) return planOrphaning(observation);
  if (metadata.finalizers?.includes(foregroundFinalizer)) return planForeground(observation);
  return { kind: 'none' };
}

const planOrphaning = ({ dependents }: GarbageObservation): GarbageAction =>
  dependents.length > 0
    ? { kind: 'disown', dependents }
    : { kind: 'remove-finalizer', finalizer: orphanFinalizer };

function planForeground({ object, dependents }: GarbageObservation): GarbageAction {
  const living = dependents.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  if (living.length > 0) return { kind: 'delete-dependents', dependents: living };
  const isBlocked = dependents
    .flatMap(({ metadata }) => metadata.ownerReferences ?? [])
    .some(({ uid, blockOwnerDeletion }) => uid === object.metadata.uid && blockOwnerDeletion);
  return isBlocked
    ? { kind: 'none' }
    : { kind: 'remove-finalizer', finalizer: foregroundFinalizer };
}

function planDependent({ object, ownerOf, dependents }: GarbageObservation): GarbageAction {
  const references = object.metadata.ownerReferences ?? [];
  const owners = references.flatMap((reference) => ownerOf(reference) ?? []);
  if (references.length === 0) return { kind: 'none' };
  if (owners.length === 0) return { kind: 'delete', propagationPolicy: 'Background' };
  const propagationPolicy = dependents.length > 0 ? 'Foreground' : 'Background';
  if (owners.every(isGoingInForeground)) return { kind: 'delete', propagationPolicy };
  if (owners.length === references.length) return { kind: 'none' };
  const kept = references.filter((reference) => ownerOf(reference) !== undefined);
  return { kind: 'keep-references', references: kept };
}

const isGoingInForeground = ({ metadata }: AnyObject) =>
  metadata.deletionTimestamp !== undefined &&
  metadata.finalizers?.includes(foregroundFinalizer) === true;
