import { StoreError, type StoreErrorReason } from './store.ts';

/** SQLite's primary result codes (sqlite.org/rescode.html) that a store can name; every other one is Unavailable. */
const reasons: Readonly<Record<number, readonly [StoreErrorReason, string]>> = {
  5: ['Locked', 'another process has the store open'],
  11: ['Corrupt', 'the store is damaged; restore a backup'],
  13: ['DiskFull', 'the disk is full'],
  18: ['TooLarge', 'the value is too large'],
  26: ['Corrupt', 'the file is not a store of orc'],
};

/** @param path the database file, for the message */
export function sqliteStoreError(error: unknown, path: string): StoreError {
  if (error instanceof StoreError) return error;
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : -1;
  const [reason, what] = reasons[code] ?? ['Unavailable', 'SQLite failed'];
  const detail = error instanceof Error ? error.message : String(error);
  return new StoreError(reason, `${path}: ${what} (${detail})`, { cause: error });
}

/** After these nothing that the connection believes can be trusted: the store must be opened again. */
export function isFatal(reason: StoreErrorReason): boolean {
  return reason === 'Corrupt' || reason === 'Unavailable';
}
