import type { Revisions } from './revisions.ts';
import type { StoreChange, StoreErrorReason } from './store.ts';

/** Between the store and its thread: one batch is under way at a time; each is one SQLite transaction. */
export type Call = {
  [M in keyof Revisions]: { readonly method: M; readonly args: Parameters<Revisions[M]> };
}[keyof Revisions];

export type Request =
  | { readonly kind: 'batch'; readonly calls: readonly Call[] }
  | { readonly kind: 'close' };

export type Reply =
  | { readonly kind: 'opened' }
  | {
      readonly kind: 'batch';
      readonly answers: readonly Answer[];
      readonly changes: readonly StoreChange[];
    }
  /** Nothing of the batch happened. Fatal: nor will anything else. */
  | { readonly kind: 'failed'; readonly failure: Failure; readonly fatal: boolean };

export type Answer = { readonly value: unknown } | { readonly failure: Failure };

export interface Failure {
  readonly reason: StoreErrorReason;
  readonly message: string;
}
