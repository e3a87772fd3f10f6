import { status } from '@grpc/grpc-js';
import { DeadlineExceeded } from '../../base/deadline.ts';
import { StoreError, type StoreErrorReason } from './store.ts';

/** What became of a request that failed. */
export type EtcdFailure =
  /** Asked again, it would fail again. */
  | { readonly kind: 'refused'; readonly error: StoreError }
  /** The token has run out, or users have changed. */
  | { readonly kind: 'unauthenticated' }
  /** It never reached a member. */
  | { readonly kind: 'unsent' }
  /** It may have been carried out. */
  | { readonly kind: 'unknown' };

/** etcd's words (etcd 3.4, etcdserver/api/v3rpc/rpctypes/error.go), which say more than its gRPC codes. */
const refusals: readonly (readonly [RegExp, StoreErrorReason])[] = [
  [/required revision has been compacted/, 'Compacted'],
  [/database space exceeded/, 'DiskFull'],
  [/request is too large|message larger than max/, 'TooLarge'],
  [/corrupt cluster/, 'Corrupt'],
];

const passing = new Set<number>([
  ...[status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.CANCELLED, status.INTERNAL],
  ...[status.UNKNOWN, status.RESOURCE_EXHAUSTED],
]);

export function etcdFailure(error: unknown): EtcdFailure {
  if (error instanceof StoreError) return { kind: 'refused', error };
  if (error instanceof DeadlineExceeded) return { kind: 'unknown' };
  const words = error instanceof Error ? error.message : String(error);
  const [, reason] = refusals.find(([pattern]) => pattern.test(words)) ?? [];
  if (reason) return { kind: 'refused', error: failed(reason, error) };
  if (/invalid auth token|revision in header is old/.test(words))
    return { kind: 'unauthenticated' };
  if (/No connection established|Name resolution failed/.test(words)) return { kind: 'unsent' };
  const code = error instanceof Error && 'code' in error ? Number(error.code) : status.UNKNOWN;
  if (passing.has(code)) return { kind: 'unknown' };
  return { kind: 'refused', error: failed('Unavailable', error) };
}

/** From a member that is well: it had to wait for another leader of etcd's own, and has one now. */
export const tellsOfElection = (error: unknown): boolean =>
  error instanceof Error &&
  /etcdserver: (leader changed|request timed out, possibly due to previous leader failure)/.test(
    error.message,
  );

const failed = (reason: StoreErrorReason, cause: unknown) =>
  new StoreError(reason, 'etcd refuses', { cause });

/** It was tried for as long as a caller waits. */
export const unavailable = (cause: unknown): StoreError =>
  new StoreError('Unavailable', 'etcd does not answer', { cause });

export const closed = (): StoreError => new StoreError('Closed', 'the store is closed');
