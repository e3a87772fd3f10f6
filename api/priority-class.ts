import { ageColumn, type Column, count, text } from './columns.ts';
import * as field from './field-error.ts';
import { errorsOf } from './field-error.ts';
import { unchanged } from './immutable.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import * as s from './schema.ts';

export const preemptionPolicies = ['PreemptLowerPriority', 'Never'] as const;

const fields = {
  value: s.int().doc('The higher, the more important are its pods. Cannot be changed.').default(0),
  globalDefault: s.bool().doc('For pods that name no class; one class at most may say so.'),
  description: s.str().doc('When to use it, for people.'),
  preemptionPolicy: s
    .str({ values: preemptionPolicies })
    .doc('Whether pods of lower priority are ended where its pods would find no room otherwise.')
    .default('PreemptLowerPriority'),
};

export type PriorityClass = KubeObject<typeof fields>;

export const PriorityClass: Kind<typeof fields> = kind({
  group: 'scheduling.k8s.io',
  kind: 'PriorityClass',
  plural: 'priorityclasses',
  shortNames: ['pc'],
  namespaced: false,
  about: 'A name for how important pods are.',
  fields,
  validate(priorityClass, at) {
    const { metadata, value } = priorityClass;
    const isReserved = metadata.name?.startsWith('system-');
    const flaw = isReserved && systemFlaw(priorityClass);
    return errorsOf(
      flaw && field.forbidden(at('metadata')('name'), `${reserved} error: ${flaw}`),
      !isReserved && value > highest && field.forbidden(at('value'), tooHigh),
    );
  },
  validateUpdate: (next, previous, at) =>
    errorsOf(
      next.value !== previous.value &&
        field.forbidden(at('value'), 'may not be changed in an update.'),
      unchanged(next.preemptionPolicy, previous.preemptionPolicy, at('preemptionPolicy')),
    ),
  claims: ({ globalDefault }) =>
    globalDefault ? [{ key: 'priority-class/default', path: 'globalDefault' }] : [],
  columns: [
    count('Value', 'The higher, the more important.', ({ value }) => value),
    text('Global-Default', 'For pods that name none.', (one) => String(one.globalDefault ?? false)),
    ageColumn as Column<PriorityClass>,
    text('PreemptionPolicy', 'PreemptLowerPriority or Never.', (one) => one.preemptionPolicy),
  ],
});

/** There from the start. */
export const systemPriorityClasses = [
  {
    name: 'system-node-critical',
    value: 2_000_001_000,
    description: 'For system critical pods that must not be moved from their node.',
  },
  {
    name: 'system-cluster-critical',
    value: 2_000_000_000,
    description: 'For system critical pods that must run, on whichever node.',
  },
];

/** Above are the system's. */
const highest = 1_000_000_000;
const tooHigh = `maximum allowed value of a user defined priority is ${highest}`;
const reserved = "priority class names with 'system-' prefix are reserved for system use only.";

function systemFlaw({ metadata: { name }, value, globalDefault }: PriorityClass) {
  const known = systemPriorityClasses.find((one) => one.name === name);
  if (!known) return `${name} is not a known system priority class`;
  if (value !== known.value) return `value of ${name} PriorityClass must be ${known.value}`;
  return globalDefault ? `globalDefault of ${name} PriorityClass must be false` : undefined;
}
