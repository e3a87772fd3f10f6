import { count, templateColumns } from './columns.ts';
import { conditionFields } from './condition.ts';
import { defaultTemplate } from './default-pod-spec.ts';
import { unchanged } from './immutable.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { podTemplateFields } from './pod-spec.ts';
import * as s from './schema.ts';
import { labelSelectorFields } from './selector.ts';
import { validatePodTemplate } from './validate-pod-spec.ts';
import { validateSelectorOf } from './validate-selector.ts';

const specFields = {
  replicas: s.int({ min: 0 }).default(1),
  selector: s.obj(labelSelectorFields).doc('Its pods. Cannot be changed.').required(),
  template: s.obj(podTemplateFields).doc('The pods to make.').required(),
  minReadySeconds: s.int({ min: 0 }).doc('A pod counts as available when ready for so long.'),
};

const statusFields = {
  replicas: s.int().default(0),
  fullyLabeledReplicas: s.int(),
  readyReplicas: s.int(),
  availableReplicas: s.int(),
  terminatingReplicas: s.int(),
  observedGeneration: s.long(),
  conditions: s.listMap(s.obj(conditionFields), 'type'),
};

const fields = {
  spec: s.obj(specFields).required(),
  status: s.obj(statusFields).default({ replicas: 0 }),
};

export type ReplicaSet = KubeObject<typeof fields>;
export type ReplicaSetStatus = s.ObjectOf<typeof statusFields>;

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
    ...validateSelectorOf('replica set')(spec, at('spec')),
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
