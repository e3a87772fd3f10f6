import type { FieldErrors, FieldPath } from './field-error.ts';
import * as field from './field-error.ts';
import { isSame } from './same.ts';

/** `[]` when nothing has changed. */
export const unchanged = (next: unknown, previous: unknown, at: FieldPath): FieldErrors =>
  isSame(next, previous) ? [] : [field.invalid(at, next, 'field is immutable')];

/** What has changed of these fields, although the object was said to change no more. */
export const frozen = <T extends { readonly immutable?: boolean | undefined }>(
  { next, previous }: { readonly next: T; readonly previous: T },
  fields: readonly (keyof T & string)[],
  at: FieldPath,
): FieldErrors =>
  fields
    .filter((name) => previous.immutable && !isSame(next[name], previous[name]))
    .map((name) => field.forbidden(at(name), 'field is immutable when `immutable` is set'));
