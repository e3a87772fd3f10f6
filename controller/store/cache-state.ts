import { type Deferred, deferred, orAborted } from '../../base/deadline.ts';
import type { Log } from '../../base/log.ts';
import type { Cache, ObjectChange } from './cache.ts';
import type { CacheTables } from './cache-tables.ts';

/** What readers see of the cache; the feeder (object-cache.ts) fills the tables and says so here. */
export type CacheState = ReturnType<typeof cacheState>;

export function cacheState(tables: CacheTables, rememberedChanges: number, log: Log) {
  const ring = changeRing(rememberedChanges);
  const listeners = new Set<(change: ObjectChange) => void>();
  /** With the revision that each waits for. */
  const waiting = new Map<Deferred<void>, number>();
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
    for (const [arrived, wanted] of waiting) if (wanted <= to) arrived.resolve();
  };

  const cache: Cache = {
    get: (kind, key) => tables.get(kind, key),
    list: (kind, namespace) => tables.list(kind, namespace),
    byIndex: (index, value) => tables.byIndex(index, value),
    get revision() {
      return revision;
    },
    async reached(wanted, signal) {
      if (wanted <= revision) return;
      const arrived = deferred<void>();
      waiting.set(arrived, wanted);
      try {
        await (signal ? orAborted(arrived.promise, signal) : arrived.promise);
      } finally {
        waiting.delete(arrived);
      }
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    changesSince: (since) => ring.since(since),
  };
  return {
    cache,
    /** The tables hold these changes and are as of this revision. */
    applied(changes: readonly ObjectChange[], to: number) {
      for (const change of changes) ring.add(change);
      advance(changes, to);
    },
    /** The same, but with a gap before: watches can't resume from before it. */
    appliedAfterGap(changes: readonly ObjectChange[], to: number) {
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
