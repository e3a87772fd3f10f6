import type { AnyObject } from '../../api/kind.ts';
import type { OwnerReference } from '../../api/object-meta.ts';
import { foregroundFinalizer, orphanFinalizer } from '../store/deletion.ts';

export interface GarbageObservation {
  readonly object: AnyObject;
  /** The owner that a reference means, if it still exists: same name and same uid. Unknown: of a kind that nobody serves. */
  ownerOf(reference: OwnerReference): AnyObject | 'unknown' | undefined;
  readonly dependents: readonly AnyObject[];
}

export type GarbageAction =
  /** Its owners are gone, or wait for it to go. */
  | { readonly kind: 'delete'; readonly propagationPolicy: 'Background' | 'Foreground' }
  /** Other owners are gone, or would wait for it. */
  | { readonly kind: 'keep-references'; readonly references: readonly OwnerReference[] }
  /** Its dependents stay without it. */
  | { readonly kind: 'disown' }
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
    ? { kind: 'disown' }
    : { kind: 'remove-finalizer', finalizer: orphanFinalizer };

/** Its dependents see that it waits, and go by themselves. */
function planForeground({ object, dependents }: GarbageObservation): GarbageAction {
  const isBlocked = dependents
    .flatMap(({ metadata }) => metadata.ownerReferences ?? [])
    .some(({ uid, blockOwnerDeletion }) => uid === object.metadata.uid && blockOwnerDeletion);
  return isBlocked
    ? { kind: 'none' }
    : { kind: 'remove-finalizer', finalizer: foregroundFinalizer };
}

function planDependent({ object, ownerOf, dependents }: GarbageObservation): GarbageAction {
  const references = object.metadata.ownerReferences ?? [];
  const kept = references.filter((reference) => isStaying(ownerOf(reference)));
  if (kept.length === references.length) return { kind: 'none' };
  if (kept.length > 0) return { kind: 'keep-references', references: kept };
  const isAwaited = references.some((reference) => ownerOf(reference) !== undefined);
  const propagationPolicy = isAwaited && dependents.length > 0 ? 'Foreground' : 'Background';
  return { kind: 'delete', propagationPolicy };
}

/** Neither gone nor waiting for its dependents to go. */
const isStaying = (owner: AnyObject | 'unknown' | undefined): boolean =>
  owner === 'unknown' ||
  (owner !== undefined &&
    (owner.metadata.deletionTimestamp === undefined ||
      owner.metadata.finalizers?.includes(foregroundFinalizer) !== true));
