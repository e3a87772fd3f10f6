import { count } from './columns.ts';
import { conditionFields } from './condition.ts';
import { defaultTemplate } from './default-pod-spec.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import {
  replicasFields,
  templateColumns,
  validateReplicas,
  validateReplicasUpdate,
} from './replicas-spec.ts';
import * as s from './schema.ts';

const statusFields = {
  replicas: s.int().default(0),
  ...s.all(s.int(), 'fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'),
  terminatingReplicas: s.int(),
  observedGeneration: s.long(),
  conditions: s.listMap(s.obj(conditionFields), 'type'),
};

const fields = {
  spec: s.obj(replicasFields).required(),
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
  validate: validateReplicas('replica set'),
  validateUpdate: validateReplicasUpdate,
  columns: [
    count('Desired', 'Pods that should be there.', ({ spec }) => spec.replicas),
    count('Current', 'Pods that are there.', ({ status }) => status.replicas),
    count('Ready', 'Pods that are ready.', ({ status }) => status.readyReplicas),
    ...templateColumns,
  ],
  selectableFields: { 'status.replicas': ({ status }) => String(status.replicas) },
});
