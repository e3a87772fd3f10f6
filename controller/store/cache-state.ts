import type { Kind, KubeObject } from '../../api/kind.ts';
import type { Fields } from '../../api/schema.ts';
import { deferred, orAborted } from '../../base/deadline.ts';
import type { Log } from '../../base/log.ts';
import type { Cache, Index, ObjectChange } from './cache.ts';
import type { CacheTables } from './cache-tables.ts';
import type { ObjectKey } from './objects.ts';

/** What readers see of the cache; the feeder (object-cache.ts) fills the tables and says so here. */
export interface CacheState {
  readonly cache: Cache;
  /** The tables hold these changes and are as of `revision`. */
  applied(changes: readonly ObjectChange[], revision: number): void;
  /** The same, but with a gap before: watches can't resume from before it. */
  appliedAfterGap(changes: readonly ObjectChange[], revision: number): void;
}

export interface CacheStateOptions {
  readonly tables: CacheTables;
  readonly rememberedChanges: number;
  readonly log: Log;
}

export function cacheState({ tables, rememberedChanges, log }: CacheStateOptions): CacheState {
  const ring = changeRing(rememberedChanges);
  const listeners = new Set<(change: ObjectChange) => void>();
  const waiters = new Set<{ readonly revision: number; readonly resolve: () => void }>();
  let revision = 0;

  const tell = (change: ObjectChange) => {
    for (const listener of listeners) {
      try {
        listener(change);
      } catch (err) {
        log.error({ err, key: change.key.name }, 'a listener of the cache failed');
      }
    }
  };

  const advance = (changes: readonly ObjectChange[], to: number) => {
    revision = to;
    for (const change of changes) tell(change);
    for (const waiter of waiters) if (waiter.revision <= to) waiter.resolve();
  };

  const reached = async (wanted: number, signal?: AbortSignal) => {
    if (wanted <= revision) return;
    const arrived = deferred<void>();
    const waiter = { revision: wanted, resolve: () => arrived.resolve() };
    waiters.add(waiter);
    try {
      await (signal ? orAborted(arrived.promise, signal) : arrived.promise);
    } finally {
      waiters.delete(waiter);
    }
  };

  return {
    cache: {
      ...typedReads(tables),
      get revision() {
        return revision;
      },
      reached,
      onChange(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      changesSince: (since) => ring.since(since),
    },
    applied(changes, to) {
      for (const change of changes) ring.add(change);
      advance(changes, to);
    },
    appliedAfterGap(changes, to) {
      ring.reset(to);
      advance(changes, to);
    },
  };
}

/** The newest changes, for watches that resume. */
function changeRing(limit: number) {
  let changes: ObjectChange[] = [];
  let knownAfter = 0;
  return {
    add(change: ObjectChange) {
      changes.push(change);
      if (changes.length < 2 * limit) return;
      const dropped = changes.length - limit;
      knownAfter = changes[dropped - 1]?.revision ?? knownAfter;
      changes = changes.slice(dropped);
    },
    /** undefined: some of them are forgotten. */
    since(revision: number): readonly ObjectChange[] | undefined {
      if (revision < knownAfter) return undefined;
      const last = changes.findLastIndex((change) => change.revision <= revision);
      return changes.slice(last + 1);
    },
    /** Forgets everything; what comes next is later than this revision. */
    reset(revision: number) {
      changes = [];
      knownAfter = revision;
    },
  };
}

/** A table holds what was stored as its kind: here that becomes a type. */
function typedReads(tables: CacheTables): Pick<Cache, 'get' | 'list' | 'byIndex'> {
  return {
    get: <F extends Fields>(kind: Kind<F>, key: ObjectKey) =>
      tables.get(kind, key) as KubeObject<F> | undefined,
    list: <F extends Fields>(kind: Kind<F>, namespace?: string) =>
      tables.list(kind, namespace) as readonly KubeObject<F>[],
    byIndex: <F extends Fields>(index: Index<F>, value: string) =>
      tables.byIndex(index, value) as readonly KubeObject<F>[],
  };
}
