import { ReasonError } from '../../base/reason-error.ts';

/**
 * The store port: etcd's model. Keys are ordered strings; every transaction that changes something gets the next
 * revision; a watch delivers every change of a prefix once, in order. Implementations: sqlite-store.ts (embedded,
 * default) and etcd-store.ts, and the tests' fake; all pass test/contract/store.contract.ts.
 */
export interface Store {
  get(key: string): Promise<Entry | undefined>;
  /** All entries under a prefix, ordered by key, as of one revision (at least the newest acknowledged one). */
  list(prefix: string): Promise<Listing>;
  /** Writes everything or nothing. Resolved means: on disk. */
  commit(transaction: Transaction): Promise<CommitOutcome>;
  /**
   * Every change under the prefix with revision > `after`, once, in order, in batches that never split a revision.
   * Ends when the signal aborts; throws StoreError 'Compacted' if `after` is gone.
   */
  watch(prefix: string, options: WatchOptions): AsyncIterable<readonly StoreChange[]>;
  /** Forgets what was before this revision. Watches from before fail with 'Compacted'. */
  compact(revision: number): Promise<void>;
  revision(): Promise<number>;
  close(): Promise<void>;
}

export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  /** Of the last change. */
  readonly revision: number;
}

export type Listing = Readonly<{ entries: readonly Entry[]; revision: number }>;

export interface Transaction {
  /** All must hold. `revision` 0: the key must not exist. */
  readonly expect: readonly { readonly key: string; readonly revision: number }[];
  readonly puts: readonly { readonly key: string; readonly value: Uint8Array }[];
  readonly deletes: readonly string[];
}

export type CommitOutcome =
  | { readonly committed: true; readonly revision: number }
  /** What the first failed expectation found instead. */
  | { readonly committed: false; readonly key: string; readonly current: Entry | undefined };

export type WatchOptions = Readonly<{ after: number; signal: AbortSignal }>;

export interface StoreChange {
  readonly kind: 'put' | 'delete';
  readonly key: string;
  readonly revision: number;
  /** undefined for a delete. */
  readonly value: Uint8Array | undefined;
}

/** Closed table: what can go wrong with a store. */
export type StoreErrorReason =
  | 'Compacted'
  | 'Unavailable'
  | 'TooLarge'
  | 'DiskFull'
  | 'Corrupt'
  | 'Locked'
  /** Another version of orc wrote it. */
  | 'OtherFormat'
  | 'Closed'
  /** The writer led once, and another controller does now. */
  | 'Deposed';

export class StoreError extends ReasonError<StoreErrorReason> {
  override readonly name = 'StoreError';
}

/** etcd's default limit for a request, less room for what a store adds. */
const maxBytes = 1.5 * 1024 * 1024 - 16 * 1024;

/** Throws for what no store takes: more than the limit, and a key that is written twice. */
export function checkTransaction({ puts, deletes }: Transaction): void {
  const keys = [...puts.map((put) => put.key), ...deletes];
  const twice = keys.find((key, i) => keys.indexOf(key) !== i);
  if (twice !== undefined) throw new Error(`a transaction writes ${twice} twice`);
  const bytes = puts.reduce((sum, { value }) => sum + value.byteLength, 0);
  if (bytes <= maxBytes) return;
  const why = `${keys[0]} has ${bytes} bytes; at most ${maxBytes} are possible`;
  throw new StoreError('TooLarge', why);
}

export const compacted = (wanted: number, oldest: number): StoreError =>
  new StoreError('Compacted', `revision ${wanted} is no longer known; the oldest is ${oldest}`);
