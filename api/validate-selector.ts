import { checkLabels } from './check-metadata.ts';
import * as field from './field-error.ts';
import { errorsOf, errorsOfEach, type Rule } from './field-error.ts';
import { checkLabelValue, checkQualifiedName } from './names.ts';
import type { PodTemplate } from './pod-spec.ts';
import { type LabelSelector, matchesSelector, requirementsOf } from './selector.ts';

/** The selector of a controller: well-formed, not empty, and true for the pods that its template makes. */
export const validateSelectorOf =
  (
    controller: string,
  ): Rule<{ readonly selector: LabelSelector; readonly template: PodTemplate }> =>
  ({ selector, template }, at) => {
    const errors = validateLabelSelector(selector, at('selector'));
    if (errors.length > 0) return errors;
    const why = `empty selector is invalid for ${controller}`;
    if (requirementsOf(selector).length === 0)
      return [field.invalid(at('selector'), selector, why)];
    const labels = template.metadata.labels ?? {};
    if (matchesSelector(selector, labels)) return [];
    const path = at('template')('metadata')('labels');
    return [field.invalid(path, labels, '`selector` does not match template `labels`')];
  };

const validateLabelSelector: Rule<LabelSelector> = (selector, at) =>
  errorsOf(
    checkLabels(selector.matchLabels, at('matchLabels')),
    errorsOfEach(selector.matchExpressions, at('matchExpressions'), validateExpression),
  );

type Expression = NonNullable<LabelSelector['matchExpressions']>[number];

const validateExpression: Rule<Expression> = ({ key, operator, values = [] }, at) => {
  const needsValues = operator === 'In' || operator === 'NotIn';
  const path = at('values');
  return errorsOf(
    field.check(at('key'), key, checkQualifiedName),
    needsValues &&
      values.length === 0 &&
      field.required(path, "must be specified when `operator` is 'In' or 'NotIn'"),
    !needsValues &&
      values.length > 0 &&
      field.forbidden(path, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
    errorsOfEach(values, path, (value, one) => field.check(one, value, checkLabelValue)),
  );
};
