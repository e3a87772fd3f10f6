import { formatSince } from './format-age.ts';
import type { AnyObject } from './kind.ts';
import type { PodTemplate } from './pod-spec.ts';
import { formatLabelSelector, type LabelSelector } from './selector.ts';

/** One cell of `get` for each object. */
export interface Column<T> {
  readonly name: string;
  /** OpenAPI type of the cell. */
  readonly type: 'string' | 'integer';
  /** Shown only with `-o wide`. */
  readonly wide?: boolean;
  readonly about: string;
  of(object: T, now: number): string | number;
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

interface Templated {
  readonly spec: { readonly template: PodTemplate; readonly selector: LabelSelector };
}

/** What `-o wide` adds for everything that makes pods from a template. */
export const templateColumns: readonly Column<Templated>[] = [
  wide(text('Containers', 'Names of the containers.', (object) => each(object, 'name'))),
  wide(text('Images', 'Images of the containers.', (object) => each(object, 'image'))),
  wide(
    text('Selector', 'Which pods are its own.', ({ spec }) => formatLabelSelector(spec.selector)),
  ),
];

const each = ({ spec }: Templated, field: 'name' | 'image'): string =>
  spec.template.spec.containers.map((container) => container[field]).join(',');
