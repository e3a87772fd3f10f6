import { invalidBecause } from './check-metadata.ts';
import { type FieldError, type FieldPath, invalidField } from './field-error.ts';
import { checkLabelValue, checkQualifiedName } from './names.ts';
import type { Toleration } from './pod-spec.ts';

export function validateToleration(toleration: Toleration, at: FieldPath): readonly FieldError[] {
  const { key = '', operator = 'Equal', value = '', effect, tolerationSeconds } = toleration;
  const errors: FieldError[] = [];
  if (key !== '') errors.push(...invalidBecause(at('key'), key, checkQualifiedName(key)));
  if (key === '' && operator !== 'Exists')
    errors.push(
      invalidField(at('operator'), operator, 'must be Exists when `key` is empty (every taint)'),
    );
  if (operator === 'Exists' && value !== '')
    errors.push(invalidField(at('value'), value, 'must be empty when `operator` is Exists'));
  if (operator === 'Equal')
    errors.push(...invalidBecause(at('value'), value, checkLabelValue(value)));
  if (tolerationSeconds !== undefined && effect !== 'NoExecute')
    errors.push(
      invalidField(at('effect'), effect ?? '', 'must be NoExecute when `tolerationSeconds` is set'),
    );
  return errors;
}
