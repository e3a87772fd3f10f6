import { type FieldError, type FieldPath, invalidField } from './field-error.ts';
import { isSame } from './same.ts';

/** `[]` when nothing has changed. */
export function unchanged(next: unknown, previous: unknown, at: FieldPath): readonly FieldError[] {
  return isSame(next, previous) ? [] : [invalidField(at, next, 'field is immutable')];
}
