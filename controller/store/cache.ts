import type { AnyObject, Kind, KubeObject } from '../../api/kind.ts';
import type { Fields } from '../../api/schema.ts';
import type { ObjectKey } from './objects.ts';

/**
 * The informer cache: every object of every kind, as of one revision, fed by one ordered watch of the store. Objects
 * are frozen. Loops and the API server read here and never from the store.
 */
export interface Cache {
  /** Newest revision that is in the cache. */
  readonly revision: number;
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

/** The cache as of one revision: what pure functions may ask. */
export type CacheReads = Pick<Cache, 'get' | 'list' | 'byIndex'>;

/** Declared once, at module level, by whoever needs it; the cache keeps it up to date. */
export interface Index<F extends Fields = Fields> {
  readonly name: string;
  readonly kind: Kind<F>;
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
