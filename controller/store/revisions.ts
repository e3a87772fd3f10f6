import { orAborted } from '../../base/deadline.ts';
import type { CommitOutcome, Entry, Listing, Store, StoreChange, Transaction } from './store.ts';
import type { WatchHub } from './watch-hub.ts';

/**
 * What a store is made of: keys, revisions and their history, synchronously: sqlite-revisions.ts, and the
 * tests' fake; {@link revisionStore} makes a Store of either.
 */
export interface Revisions {
  revision(): number;
  get(key: string): Entry | undefined;
  list(prefix: string): Listing;
  /** Its changes go to the {@link ChangeListener} that the revisions were opened with. */
  commit(transaction: Transaction): CommitOutcome;
  changesAfter(prefix: string, revision: number): PastChanges;
  compact(revision: number): void;
}

export interface PastChanges {
  readonly changes: readonly StoreChange[];
  /** The newest revision they cover, whether or not it changed something under the prefix. */
  readonly revision: number;
}

export type ChangeListener = (changes: readonly StoreChange[]) => void;

/** How the rest of the world reaches revisions that may live in another thread. */
export interface RevisionsAccess {
  call<M extends keyof Revisions>(
    method: M,
    ...args: Parameters<Revisions[M]>
  ): Promise<ReturnType<Revisions[M]>>;
  close(): Promise<void>;
}

export function callOn<M extends keyof Revisions>(
  revisions: Revisions,
  method: M,
  ...args: Parameters<Revisions[M]>
): ReturnType<Revisions[M]> {
  const called = revisions[method] as (
    ...args: Parameters<Revisions[M]>
  ) => ReturnType<Revisions[M]>;
  return called.apply(revisions, args);
}

/** A Store of revisions: adds the watches. @param hub gets every change of these revisions, in order */
export const revisionStore = (revisions: RevisionsAccess, hub: WatchHub): Store => ({
  get: (key) => revisions.call('get', key),
  list: (prefix) => revisions.call('list', prefix),
  commit: (transaction) => revisions.call('commit', transaction),
  compact: (revision) => revisions.call('compact', revision),
  // All acknowledged writes have been told: no other thread need be asked, as each read does.
  revision: async () => hub.newest() ?? revisions.call('revision'),
  close: () => revisions.close(),
  /** Subscribes first and asks for the past second, so that nothing falls between the two. */
  async *watch(prefix, { after, signal }) {
    if (signal.aborted) return;
    const subscription = hub.subscribe(prefix);
    try {
      const past = await unlessAborted(revisions.call('changesAfter', prefix, after), signal);
      if (!past) return;
      if (past.changes.length > 0) yield past.changes;
      const seen = Math.max(after, past.revision);
      for (;;) {
        const changes = await subscription.take(signal);
        if (!changes) return;
        const unseen = changes.filter((change) => change.revision > seen);
        if (unseen.length > 0) yield unseen;
      }
    } finally {
      subscription.end();
    }
  },
});

/** undefined: the signal has aborted. */
const unlessAborted = <T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> =>
  orAborted(promise, signal).catch((error) => {
    if (!signal.aborted) throw error;
    return undefined;
  });
