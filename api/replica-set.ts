import { count } from './columns.ts';
import { conditionFields } from './condition.ts';
import { defaultTemplate } from './default-pod-spec.ts';
import { unchanged } from './immutable.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { labelSelectorFields } from './label-selector.ts';
import { podTemplateFields } from './pod-spec.ts';
import { defaulted, int, listMap, long, type ObjectOf, obj, required } from './schema.ts';
import { templateColumns } from './template-columns.ts';
import { validatePodTemplate } from './validate-pod-spec.ts';
import { validateSelectorOf } from './validate-selector.ts';

const specFields = {
  replicas: defaulted(int({ min: 0 }), 1),
  selector: required(obj(labelSelectorFields, { about: 'Its pods. Cannot be changed.' })),
  template: required(obj(podTemplateFields, { about: 'The pods to make.' })),
  minReadySeconds: int({ min: 0, about: 'A pod counts as available when ready for so long.' }),
};

const statusFields = {
  replicas: defaulted(int(), 0),
  fullyLabeledReplicas: int(),
  readyReplicas: int(),
  availableReplicas: int(),
  terminatingReplicas: int(),
  observedGeneration: long(),
  conditions: listMap(obj(conditionFields), { keys: ['type'] }),
};

const fields = {
  spec: required(obj(specFields)),
  status: defaulted(obj(statusFields), { replicas: 0 }),
};

export type ReplicaSet = KubeObject<typeof fields>;
export type ReplicaSetStatus = ObjectOf<typeof statusFields>;

export const ReplicaSet: Kind<typeof fields> = kind({
  group: 'apps',
  kind: 'ReplicaSet',
  shortNames: ['rs'],
  categories: ['all'],
  about: 'Keeps a number of equal pods running. Deployments make these.',
  subresources: ['status', 'scale'],
  fields,
  applyDefaults: ({ spec, ...rest }) => ({ ...rest, spec: defaultTemplate(spec) }),
  validate: ({ spec }, at) => [
    ...validateSelectorOf(spec, 'replica set', at('spec')),
    ...validatePodTemplate(spec.template, at('spec')('template')),
  ],
  validateUpdate: (next, previous, at) =>
    unchanged(next.spec.selector, previous.spec.selector, at('spec')('selector')),
  columns: [
    count('Desired', 'Pods that should be there.', ({ spec }) => spec.replicas),
    count('Current', 'Pods that are there.', ({ status }) => status.replicas),
    count('Ready', 'Pods that are ready.', ({ status }) => status.readyReplicas),
    ...templateColumns,
  ],
  selectableFields: { 'status.replicas': ({ status }) => String(status.replicas) },
});
