import type { CommitOutcome, Entry, Listing, StoreChange, Transaction } from './store.ts';

/**
 * What a store is made of: keys, revisions and their history, synchronously: sqlite-revisions.ts, and the
 * tests' fake; revision-store.ts makes a Store of either.
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
  return called(...args);
}
