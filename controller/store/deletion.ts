import { CustomResourceDefinition } from '../../api/custom-resource-definition.ts';
import type { AnyObject, Kind } from '../../api/kind.ts';
import { Namespace } from '../../api/namespace.ts';
import { Pod } from '../../api/pod.ts';
import { isPodFinished } from '../../api/pod-facts.ts';
import { formatTime } from '../../base/clock.ts';
import type { Cache, DeleteOptions } from './objects.ts';

/** What deleting comes to: removed from the store, marked and left to those who finish it, or nothing new. */
export type DeletionPlan =
  | { readonly plan: 'remove' }
  | { readonly plan: 'mark'; readonly object: AnyObject }
  | { readonly plan: 'keep' };

/** The garbage collector takes them away: once the dependents are gone, or once they are on their own. */
export const foregroundFinalizer = 'foregroundDeletion';
export const orphanFinalizer = 'orphan';
/** The definitions' own loop takes it away, when their objects are gone. */
export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io';

export interface DeletionRequest {
  readonly kind: Kind;
  readonly object: AnyObject;
  readonly options: DeleteOptions;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export function planDeletion(request: DeletionRequest): DeletionPlan {
  const { kind, object, options, now } = request;
  const finalizers = [...finalizersFor(object, options), ...firstFinalizers(kind, object)];
  const grace = graceSeconds(kind, object, options);
  if (grace === 0 && finalizers.length === 0 && !holdsContents(kind, object))
    return { plan: 'remove' };
  const deadline = deadlineFor(object, grace, now);
  const { finalizers: present = [], ...rest } = object.metadata;
  const unchanged =
    rest.deletionTimestamp !== undefined &&
    deadline.deletionGracePeriodSeconds === rest.deletionGracePeriodSeconds &&
    finalizers.join() === present.join();
  if (unchanged) return { plan: 'keep' };
  const metadata = { ...rest, ...deadline, ...(finalizers.length > 0 ? { finalizers } : {}) };
  const marked = { ...object, metadata };
  if (!holdsContents(kind, object)) return { plan: 'mark', object: marked };
  const status = { ...(object as Namespace).status, phase: 'Terminating' };
  return { plan: 'mark', object: { ...marked, status } };
}

/** True: this object was waiting to be removed, and nothing keeps it any longer. */
export function isFinished(kind: Kind, object: AnyObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata;
  return (
    deletionTimestamp !== undefined &&
    deletionGracePeriodSeconds === 0 &&
    finalizers.length === 0 &&
    !holdsContents(kind, object)
  );
}

/** What each policy has the garbage collector do first. */
const policyFinalizers = {
  Foreground: [foregroundFinalizer],
  Orphan: [orphanFinalizer],
  Background: [],
};

function finalizersFor({ metadata }: AnyObject, { propagationPolicy: policy }: DeleteOptions) {
  const present = metadata.finalizers ?? [];
  if (policy === undefined) return present;
  const others = present.filter((f) => f !== foregroundFinalizer && f !== orphanFinalizer);
  return [...others, ...policyFinalizers[policy]];
}

/** Whatever its writers have left of it, a definition waits for its objects. */
const firstFinalizers = (kind: Kind, { metadata }: AnyObject): readonly string[] =>
  kind === CustomResourceDefinition && metadata.deletionTimestamp === undefined
    ? [cleanupFinalizer]
    : [];

/** Only pods end with grace; and only those that a node still runs. */
function graceSeconds(kind: Kind, object: AnyObject, options: DeleteOptions): number {
  if (kind !== Pod) return 0;
  const pod = object as Pod;
  const { spec } = pod;
  if (!spec.nodeName || isPodFinished(pod)) return 0;
  return options.gracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30;
}

/** A namespace that is being emptied gets nothing new. */
export function isNamespaceOpen(cache: Pick<Cache, 'get'>, name: string): boolean {
  const namespace = cache.get(Namespace, { namespace: '', name });
  return namespace !== undefined && namespace.metadata.deletionTimestamp === undefined;
}

/** A namespace stays until its controller has emptied it and has taken this finalizer of its own kind away. */
const holdsContents = (kind: Kind, object: AnyObject): boolean =>
  kind === Namespace && ((object as Namespace).spec.finalizers ?? []).length > 0;

/** A later request may shorten the grace, counted from the first one; it never lengthens it. */
function deadlineFor({ metadata }: AnyObject, grace: number, now: number) {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = metadata;
  if (deletionTimestamp === undefined)
    return { deletionTimestamp: formatTime(now + grace * 1000), deletionGracePeriodSeconds: grace };
  if (grace >= deletionGracePeriodSeconds) return { deletionTimestamp, deletionGracePeriodSeconds };
  const requestedAt = Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000;
  return {
    deletionTimestamp: formatTime(requestedAt + grace * 1000),
    deletionGracePeriodSeconds: grace,
  };
}
