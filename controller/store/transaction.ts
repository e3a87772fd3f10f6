import { StoreError, type Transaction } from './store.ts';

/** etcd's default limit for a request. */
const maxValueBytes = 1.5 * 1024 * 1024;

/** Throws for what no store takes: values over the limit, and a key that is written twice. */
export function checkTransaction({ puts, deletes }: Transaction): void {
  const written = new Set<string>();
  for (const key of [...puts.map((put) => put.key), ...deletes]) {
    if (written.has(key)) throw new Error(`a transaction writes ${key} twice`);
    written.add(key);
  }
  for (const { key, value } of puts) {
    if (value.byteLength <= maxValueBytes) continue;
    throw new StoreError(
      'TooLarge',
      `${key} has ${value.byteLength} bytes; at most ${maxValueBytes} are possible`,
    );
  }
}

export function leaseGone(lease: string): StoreError {
  return new StoreError('LeaseGone', `lease ${lease} has run out or was revoked`);
}

export function compacted(wanted: number, oldest: number): StoreError {
  return new StoreError(
    'Compacted',
    `revision ${wanted} is no longer known; the oldest is ${oldest}`,
  );
}
