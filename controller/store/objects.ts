import type { Kind, KubeObject, NewObject } from '../../api/kind.ts';
import type { Fields } from '../../api/schema.ts';

/**
 * Objects over the store: keys, JSON, encryption of Secrets, uids, timestamps, resourceVersions, claims, deletion with
 * grace and finalizers. The API server and every loop write through this; reads come from the cache (cache.ts).
 * Failures are StatusErrors (api/status.ts): AlreadyExists, Conflict, NotFound …
 */
export interface Objects {
  /** From the store itself, for read-modify-write. */
  get<F extends Fields>(kind: Kind<F>, key: ObjectKey): Promise<KubeObject<F> | undefined>;
  /** Fills in uid, creationTimestamp, resourceVersion, generation, and the name behind generateName. */
  create<F extends Fields>(kind: Kind<F>, object: NewObject<F>): Promise<KubeObject<F>>;
  /**
   * Compare-and-swap on metadata.resourceVersion. `part` says what this writer owns: 'main' keeps the stored status,
   * 'status' keeps everything but the status, 'all' is for the loops that own the object whole (a scheduler's binding).
   * An unchanged object is not written. An object whose last finalizer goes while it is being deleted is removed.
   */
  update<F extends Fields>(
    kind: Kind<F>,
    object: KubeObject<F>,
    part: Part,
  ): Promise<KubeObject<F>>;
  /** Read, change, compare-and-swap, again on a conflict (bounded). `change` returns undefined for "leave it". Pure. */
  modify<F extends Fields>(
    kind: Kind<F>,
    target: { readonly key: ObjectKey; readonly part: Part },
    change: (object: KubeObject<F>) => KubeObject<F> | undefined,
  ): Promise<KubeObject<F> | undefined>;
  /** As planDeletion (deletion.ts) says: mark with deletionTimestamp, or remove. */
  delete<F extends Fields>(
    kind: Kind<F>,
    key: ObjectKey,
    options?: DeleteOptions,
  ): Promise<DeleteOutcome<F>>;
}

export type Part = 'main' | 'status' | 'all';

export interface ObjectKey {
  /** "" for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
}

export interface DeleteOptions {
  /** undefined: the pod's own terminationGracePeriodSeconds. 0: remove at once (the node cleans up by itself). */
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan' | undefined;
  readonly preconditions?:
    | { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined }
    | undefined;
}

type DeleteOutcome<F extends Fields> =
  | { readonly outcome: 'removed' | 'marked'; readonly object: KubeObject<F> }
  | { readonly outcome: 'absent' };
