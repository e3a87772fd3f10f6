import { StoreError, type Transaction } from './store.ts';

/** etcd's default limit for a request, less room for what a store adds. */
const maxBytes = 1.5 * 1024 * 1024 - 16 * 1024;

/** Throws for what no store takes: more than the limit, and a key that is written twice. */
export function checkTransaction({ puts, deletes }: Transaction): void {
  const keys = [...puts.map((put) => put.key), ...deletes];
  const twice = keys.find((key, i) => keys.indexOf(key) !== i);
  if (twice !== undefined) throw new Error(`a transaction writes ${twice} twice`);
  const bytes = puts.reduce((sum, { value }) => sum + value.byteLength, 0);
  if (bytes <= maxBytes) return;
  throw new StoreError(
    'TooLarge',
    `${keys[0]} has ${bytes} bytes; at most ${maxBytes} are possible`,
  );
}

export function compacted(wanted: number, oldest: number): StoreError {
  return new StoreError(
    'Compacted',
    `revision ${wanted} is no longer known; the oldest is ${oldest}`,
  );
}
