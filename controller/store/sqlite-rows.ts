import type { SQLOutputValue } from 'node:sqlite';
import type { Entry, StoreChange } from './store.ts';

type Row = Record<string, SQLOutputValue>;

export function rowEntry(row: Row | undefined): Entry | undefined {
  return (
    row && {
      key: String(row.key),
      value: row.value as Uint8Array,
      revision: Number(row.revision),
    }
  );
}

export function rowChange(row: Row): StoreChange {
  return {
    kind: row.value === null ? 'delete' : 'put',
    key: String(row.key),
    revision: Number(row.revision),
    value: row.value === null ? undefined : (row.value as Uint8Array),
  };
}
