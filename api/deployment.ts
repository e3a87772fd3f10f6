import { type Kind, type KubeObject, kind } from './kind.ts';
import { labelSelectorFields } from './label-selector.ts';
import { checkDnsSubdomain } from './names.ts';
import { podTemplateFields } from './pod-spec.ts';
import {
  bool,
  defaulted,
  int,
  intOrString,
  listMap,
  long,
  type ObjectOf,
  obj,
  required,
  str,
  time,
} from './schema.ts';

const strategyFields = {
  type: defaulted(str({ values: ['RollingUpdate', 'Recreate'] }), 'RollingUpdate'),
  rollingUpdate: obj(
    {
      maxSurge: defaulted(
        intOrString({ about: 'Pods beyond replicas: a number, or a percentage rounded up.' }),
        '25%',
      ),
      maxUnavailable: defaulted(
        intOrString({ about: 'Pods that may be missing; percentages are rounded down.' }),
        '25%',
      ),
    },
    { about: 'With type RollingUpdate only.' },
  ),
};

const specFields = {
  replicas: defaulted(int({ min: 0 }), 1),
  selector: required(obj(labelSelectorFields, { about: 'Its pods. Cannot be changed.' })),
  template: required(obj(podTemplateFields, { about: 'The pods to make.' })),
  strategy: defaulted(obj(strategyFields), { type: 'RollingUpdate' }),
  minReadySeconds: int({ min: 0, about: 'A pod counts as available when ready for so long.' }),
  revisionHistoryLimit: defaulted(int({ min: 0, about: 'Old ReplicaSets kept for undo.' }), 10),
  paused: bool({ about: 'Changes of the template wait.' }),
  progressDeadlineSeconds: defaulted(
    int({ min: 0, about: 'Without progress for so long the rollout counts as failed.' }),
    600,
  ),
};

const conditionFields = {
  type: required(str({ values: ['Available', 'Progressing', 'ReplicaFailure'] })),
  status: required(str({ values: ['True', 'False', 'Unknown'] })),
  lastUpdateTime: time(),
  lastTransitionTime: time(),
  reason: str(),
  message: str(),
};

const statusFields = {
  observedGeneration: long(),
  replicas: int(),
  updatedReplicas: int(),
  readyReplicas: int(),
  availableReplicas: int(),
  unavailableReplicas: int(),
  terminatingReplicas: int(),
  conditions: listMap(obj(conditionFields), { keys: ['type'] }),
  collisionCount: int({ about: 'Times that a hash of the template was taken already.' }),
};

const fields = {
  spec: required(obj(specFields)),
  status: defaulted(obj(statusFields), {}),
};

export type Deployment = KubeObject<typeof fields>;
export type DeploymentSpec = ObjectOf<typeof specFields>;
export type DeploymentStatus = ObjectOf<typeof statusFields>;
export type DeploymentCondition = ObjectOf<typeof conditionFields>;

export const Deployment: Kind<typeof fields> = kind({
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  shortNames: ['deploy'],
  categories: ['all'],
  namespaced: true,
  about: 'Keeps a number of equal pods running, and replaces them step by step when changed.',
  subresources: ['status', 'scale'],
  checkName: checkDnsSubdomain,
  fields,
  columns: [],
});
