import { type FieldError, type FieldPath, forbiddenField, invalidField } from './field-error.ts';
import { isSame } from './same.ts';

/** `[]` when nothing has changed. */
export function unchanged(next: unknown, previous: unknown, at: FieldPath): readonly FieldError[] {
  return isSame(next, previous) ? [] : [invalidField(at, next, 'field is immutable')];
}

interface Versions<T> {
  readonly next: T;
  readonly previous: T;
}

/** What has changed of these fields, although the object was said to change no more. */
export const frozen = <T extends { readonly immutable?: boolean | undefined }>(
  { next, previous }: Versions<T>,
  fields: readonly (keyof T & string)[],
  at: FieldPath,
): readonly FieldError[] =>
  fields
    .filter((field) => previous.immutable && !isSame(next[field], previous[field]))
    .map((field) => forbiddenField(at(field), 'field is immutable when `immutable` is set'));
