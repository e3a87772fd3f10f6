import { formatSince } from './format-age.ts';
import type { AnyObject } from './kind.ts';

/** One cell of `get` for each object. */
export interface Column<T> {
  readonly name: string;
  /** OpenAPI type of the cell. */
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  /** Shown only with `-o wide`. */
  readonly wide?: boolean;
  readonly about: string;
  /** null: nothing to show. */
  of(object: T, now: number): string | number | boolean | null;
}

type Cell<T, V> = (object: T, now: number) => V | undefined;

/** Nothing shows as "". */
export function text<T>(name: string, about: string, of: Cell<T, string>): Column<T> {
  return { name, type: 'string', about, of: (object, now) => of(object, now) ?? '' };
}

/** Nothing shows as 0. */
export function count<T>(name: string, about: string, of: Cell<T, number>): Column<T> {
  return { name, type: 'integer', about, of: (object, now) => of(object, now) ?? 0 };
}

export const wide = <T>(column: Column<T>): Column<T> => ({ ...column, wide: true });

export const nameColumn: Column<AnyObject> = text(
  'Name',
  'Unique within its namespace.',
  ({ metadata }) => metadata.name,
);

export const ageColumn: Column<AnyObject> = text(
  'Age',
  'Time since the object was created.',
  ({ metadata }, now) => formatSince(metadata.creationTimestamp, now),
);

/** Instead of the age, where Kubernetes prints a kind so. */
export const createdAtColumn: Column<AnyObject> = text(
  'Created At',
  'When the object was created.',
  ({ metadata }) => metadata.creationTimestamp,
);
