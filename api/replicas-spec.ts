import { type Column, text, wide } from './columns.ts';
import * as field from './field-error.ts';
import { errorsOf, type FieldPath, type Rule } from './field-error.ts';
import { unchanged } from './immutable.ts';
import { podTemplateFields } from './pod-spec.ts';
import * as s from './schema.ts';
import * as selectors from './selector.ts';
import { validatePodTemplate } from './validate-pod-spec.ts';

/** What every kind has that makes pods from a template. */
export const replicasFields = {
  replicas: s.int({ min: 0 }).doc('How many pods.').default(1),
  selector: s.obj(selectors.labelSelectorFields).doc('Its pods. Cannot be changed.').required(),
  template: s.obj(podTemplateFields).doc('The pods to make.').required(),
  minReadySeconds: s.int({ min: 0 }).doc('A pod counts as available when ready for so long.'),
};

interface OfReplicas {
  readonly spec: s.ObjectOf<typeof replicasFields>;
}

/** Its selector is well-formed, not empty, and true for the pods that its template makes. */
export const validateReplicas =
  (controller: string): Rule<OfReplicas> =>
  ({ spec: { selector, template } }, at) => {
    const path = at('spec')('selector');
    const errors = selectors.checkLabelSelector(selector, path);
    const isEmpty = selectors.requirementsOf(selector).length === 0;
    const labels = template.metadata.labels ?? {};
    const isTrue = selectors.matchesSelector(selector, labels);
    const labelsAt = at('spec')('template')('metadata')('labels');
    return errorsOf(
      errors,
      isEmpty && field.invalid(path, selector, `empty selector is invalid for ${controller}`),
      errors.length === 0 && !isTrue && field.invalid(labelsAt, labels, NOT_ITS_OWN),
      validatePodTemplate(template, at('spec')('template')),
    );
  };

const NOT_ITS_OWN = '`selector` does not match template `labels`';

export const validateReplicasUpdate = (next: OfReplicas, previous: OfReplicas, at: FieldPath) =>
  unchanged(next.spec.selector, previous.spec.selector, at('spec')('selector'));

/** What `-o wide` adds for everything that makes pods from a template. */
export const templateColumns: readonly Column<OfReplicas>[] = [
  wide(text('Containers', 'Names of the containers.', (object) => each(object, 'name'))),
  wide(text('Images', 'Images of the containers.', (object) => each(object, 'image'))),
  wide(
    text('Selector', 'Which pods are its own.', ({ spec }) =>
      selectors.formatLabelSelector(spec.selector),
    ),
  ),
];

const each = ({ spec }: OfReplicas, field: 'name' | 'image'): string =>
  spec.template.spec.containers.map((container) => container[field]).join(',');
