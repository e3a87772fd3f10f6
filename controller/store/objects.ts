import type { AnyObject, Kind, KubeObject, NewObject } from '../../api/kind.ts';
import type { Fields } from '../../api/schema.ts';

/**
 * Objects over the store: keys, JSON, encryption of Secrets, uids, timestamps, resourceVersions, claims, deletion with
 * grace and finalizers. The API server and every loop write through this; reads come from the {@link Cache}.
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
  update<F extends Fields>(kind: Kind<F>, next: KubeObject<F>, part: Part): Promise<KubeObject<F>>;
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

/** Whose writes may depend on other objects. */
export interface TiedObjects extends Objects {
  /** The same, but each write changes these too, in one transaction: all is written, or nothing. */
  alongside(others: readonly Alongside[]): Objects;
}

export interface Alongside<F extends Fields = Fields> {
  readonly kind: Kind<F>;
  readonly key: ObjectKey;
  /** Given the object as it is stored; what it throws refuses the write; undefined leaves the object. Pure. */
  change(object: KubeObject<F>): KubeObject<F> | undefined;
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

/**
 * The informer cache: every object of every kind, as of one revision, fed by one ordered watch of the store. Objects
 * are frozen. Loops and the API server read here and never from the store.
 */
export interface Cache {
  /** Newest revision that is in the cache. */
  readonly revision: number;
  readonly kinds: ServedKinds;
  get<F extends Fields>(kind: Kind<F>, key: ObjectKey): KubeObject<F> | undefined;
  /** All of a kind, or those of one namespace; ordered by namespace and name. */
  list<F extends Fields>(kind: Kind<F>, namespace?: string): readonly KubeObject<F>[];
  /** Objects whose index function gave this value: pods by node, by owner uid … */
  byIndex<F extends Fields>(index: Index<F>, value: string): readonly KubeObject<F>[];
  /** Resolves when the cache has reached this revision. */
  reached(revision: number, signal?: AbortSignal): Promise<void>;
  /** Calls the listener for every change from now on, in order, synchronously after the cache has it. Returns unsubscribe. */
  onChange(listener: (change: ObjectChange) => void): () => void;
  /**
   * The changes after `revision` that are still remembered, for watches that resume; undefined: too old (410 Gone).
   * A bounded ring of the newest changes.
   */
  changesSince(revision: number): readonly ObjectChange[] | undefined;
}

/** Built-in kinds, and those of the definitions that are established. */
export interface ServedKinds {
  /** A new array whenever one comes, goes or changes. A kind that changes stays the same object. */
  readonly all: readonly Kind[];
  /** Not any more once its definition has gone. */
  has(kind: Kind): boolean;
  /** By {@link kindPrefix}. */
  at(prefix: string): Kind | undefined;
}

/** The cache as of one revision: what pure functions may ask. */
export type CacheReads = Pick<Cache, 'get' | 'list' | 'byIndex'>;

/** Declared once, at module level, by whoever needs it; the cache keeps it up to date. */
export interface Index<F extends Fields = Fields> {
  readonly name: string;
  /** undefined: of every kind. */
  readonly kind?: Kind<F>;
  valuesOf(object: KubeObject<F>): readonly string[];
}

export interface ObjectChange {
  readonly kind: Kind;
  readonly key: ObjectKey;
  readonly revision: number;
  /** After the change; undefined when removed. */
  readonly object: AnyObject | undefined;
  /** Before it; undefined when new. For a removed object: its last state, with resourceVersion = revision. */
  readonly previous: AnyObject | undefined;
}
