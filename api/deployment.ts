import { count, text } from './columns.ts';
import { conditionFields } from './condition.ts';
import { defaultTemplate } from './default-pod-spec.ts';
import * as field from './field-error.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import {
  replicasFields,
  templateColumns,
  validateReplicas,
  validateReplicasUpdate,
} from './replicas-spec.ts';
import * as s from './schema.ts';

const strategyFields = {
  type: s
    .str({ values: ['RollingUpdate', 'Recreate'] })
    .doc('Step by step, or all old ones first.')
    .default('RollingUpdate'),
  rollingUpdate: s
    .obj({
      maxSurge: s
        .intOrString()
        .doc('Pods beyond replicas: a number, or a percentage rounded up.')
        .default('25%'),
      maxUnavailable: s
        .intOrString()
        .doc('Pods that may be missing; percentages are rounded down.')
        .default('25%'),
    })
    .doc('With type RollingUpdate only.'),
};

const specFields = {
  ...replicasFields,
  strategy: s
    .obj(strategyFields)
    .doc('How old pods are replaced.')
    .default({ type: 'RollingUpdate' }),
  revisionHistoryLimit: s.int({ min: 0 }).doc('Old ReplicaSets kept for undo.').default(10),
  paused: s.bool().doc('Changes of the template wait.'),
  progressDeadlineSeconds: s
    .int({ min: 0 })
    .doc('Without progress for so long the rollout counts as failed.')
    .default(600),
};

const deploymentConditionFields = {
  ...conditionFields,
  type: s.str({ values: ['Available', 'Progressing', 'ReplicaFailure'] }).required(),
  lastUpdateTime: s.time(),
};

const pods = s.int().doc('So many pods are.');

const statusFields = {
  observedGeneration: s.long().doc('The generation that this status is about.'),
  ...s.all(pods, 'replicas', 'updatedReplicas', 'readyReplicas', 'availableReplicas'),
  ...s.all(pods, 'unavailableReplicas', 'terminatingReplicas'),
  conditions: s.listMap(s.obj(deploymentConditionFields), 'type').doc('What holds of it.'),
  collisionCount: s.int().doc('Times that a hash of the template was taken already.'),
};

const fields = { spec: s.obj(specFields).required(), status: s.obj(statusFields).default({}) };

export type Deployment = KubeObject<typeof fields>;
type DeploymentSpec = s.ObjectOf<typeof specFields>;
export type DeploymentStatus = s.ObjectOf<typeof statusFields>;
export type DeploymentCondition = s.ObjectOf<typeof deploymentConditionFields>;

export const Deployment: Kind<typeof fields> = kind({
  group: 'apps',
  kind: 'Deployment',
  shortNames: ['deploy'],
  categories: ['all'],
  about: 'Keeps a number of equal pods running, and replaces them step by step when changed.',
  subresources: ['status', 'scale'],
  fields,
  applyDefaults: ({ spec, ...rest }) => ({
    ...rest,
    spec: { ...defaultTemplate(spec), strategy: defaultStrategy(spec.strategy) },
  }),
  validate: (deployment, at) => [
    ...validateReplicas('deployment')(deployment, at),
    ...validateStrategy(deployment.spec.strategy, at('spec')('strategy')),
    ...validateDeadline(deployment.spec, at('spec')('progressDeadlineSeconds')),
  ],
  validateUpdate: validateReplicasUpdate,
  columns: [
    text('Ready', 'Pods that are ready, of all.', readyOfAll),
    count('Up-to-date', 'Pods of the present template.', ({ status }) => status.updatedReplicas),
    count('Available', 'Pods ready for minReadySeconds.', ({ status }) => status.availableReplicas),
    ...templateColumns,
  ],
});

function readyOfAll({ spec, status }: Deployment): string {
  return `${status.readyReplicas ?? 0}/${spec.replicas}`;
}

function defaultStrategy(strategy: DeploymentSpec['strategy']): DeploymentSpec['strategy'] {
  if (strategy.type !== 'RollingUpdate' || strategy.rollingUpdate !== undefined) return strategy;
  return { ...strategy, rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } };
}

const validateStrategy: field.Rule<DeploymentSpec['strategy']> = ({ type, rollingUpdate }, at) => {
  if (rollingUpdate === undefined) return [];
  const path = at('rollingUpdate');
  if (type === 'Recreate')
    return [field.forbidden(path, "may not be specified when strategy `type` is 'Recreate'")];
  const { maxSurge, maxUnavailable } = rollingUpdate;
  const errors = [
    ...validateShare(maxSurge, path('maxSurge')),
    ...validateShare(maxUnavailable, path('maxUnavailable')),
  ];
  if (errors.length > 0) return errors;
  if ((percentageOf(maxUnavailable) ?? 0) > 100)
    return [field.invalid(path('maxUnavailable'), maxUnavailable, 'must not be greater than 100%')];
  return isNone(maxSurge) && isNone(maxUnavailable)
    ? [field.invalid(path('maxUnavailable'), maxUnavailable, 'may not be 0 when `maxSurge` is 0')]
    : [];
};

const validateShare: field.Rule<number | string> = (value, at) => {
  if (typeof value === 'number')
    return value >= 0 ? [] : [field.invalid(at, value, 'must be greater than or equal to 0')];
  return percentageOf(value) === undefined
    ? [field.invalid(at, value, "must be a number or a percentage such as '25%'")]
    : [];
};

/** "25%" → 25; undefined for what is no percentage. */
function percentageOf(value: number | string): number | undefined {
  const digits = typeof value === 'string' ? /^(\d{1,9})%$/.exec(value)?.[1] : undefined;
  return digits === undefined ? undefined : Number(digits);
}

const isNone = (value: number | string) => value === 0 || percentageOf(value) === 0;

const validateDeadline: field.Rule<DeploymentSpec> = (spec, at) =>
  spec.progressDeadlineSeconds > (spec.minReadySeconds ?? 0)
    ? []
    : [field.invalid(at, spec.progressDeadlineSeconds, 'must be greater than minReadySeconds')];
