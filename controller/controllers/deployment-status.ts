import { conditionOf, transitionTime } from '../../api/condition.ts';
import type { Deployment, DeploymentCondition, DeploymentStatus } from '../../api/deployment.ts';
import type { ReplicaSet } from '../../api/replica-set.ts';
import { formatTime } from '../../base/clock.ts';
import type { DeploymentSets } from './deployment-sets.ts';
import { rolloutLimits } from './rolling-update.ts';

export interface StatusObservation {
  readonly deployment: Deployment;
  readonly sets: DeploymentSets;
  /** The ReplicaSet that is being created in this pass. */
  readonly created: string | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Its only writer is the Deployment's loop; words and fields as `kubectl rollout status` reads them. */
export function deploymentStatus(observation: StatusObservation): DeploymentStatus {
  const { deployment, sets } = observation;
  const all = allOf(sets);
  const count = (of: (set: ReplicaSet) => number | undefined) =>
    all.reduce((total, set) => total + (of(set) ?? 0), 0);
  const available = count((set) => set.status.availableReplicas);
  const counts: DeploymentStatus = {
    ...deployment.status,
    observedGeneration: deployment.metadata.generation,
    replicas: count((set) => set.status.replicas),
    updatedReplicas: sets.next?.status.replicas ?? 0,
    readyReplicas: count((set) => set.status.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, count((set) => set.spec.replicas) - available),
  };
  return { ...counts, conditions: conditions(observation, counts) };
}

/** When the rollout will count as failed if nothing moves until then; undefined: nothing is to be waited for. */
export function progressDeadline({ spec }: Deployment, status: DeploymentStatus) {
  const progressing = conditionOf({ status }, 'Progressing');
  if (progressing?.status !== 'True' || progressing.reason === available) return undefined;
  return Date.parse(progressing.lastUpdateTime ?? '') + spec.progressDeadlineSeconds * 1000;
}

/** All wanted pods are of the present template and available, and no others are left. */
export function isComplete({ spec }: Deployment, status: DeploymentStatus): boolean {
  const { replicas, updatedReplicas, availableReplicas } = status;
  return [replicas, updatedReplicas, availableReplicas].every((count) => count === spec.replicas);
}

const available = 'NewReplicaSetAvailable';

const allOf = ({ next, old }: DeploymentSets) => (next ? [...old, next] : old);

type Verdict = Pick<DeploymentCondition, 'type' | 'status' | 'reason' | 'message'> & {
  /** lastUpdateTime moves though nothing else does: the deadline counts from it. */
  readonly renews?: boolean;
};

function conditions(observation: StatusObservation, counts: DeploymentStatus) {
  const { deployment, sets, now } = observation;
  const verdicts = [
    progress(observation, counts) ?? conditionOf(deployment, 'Progressing'),
    availability(deployment, counts),
    ...replicaFailure(sets),
  ];
  return verdicts
    .filter((verdict) => verdict !== undefined)
    .map((verdict) => dated(verdict, conditionOf(deployment, verdict.type), formatTime(now)));
}

function dated(verdict: Verdict, previous: DeploymentCondition | undefined, time: string) {
  const { renews = false, ...said } = verdict;
  const isOld = previous?.status === said.status && previous.reason === said.reason;
  if (isOld && !renews) return previous;
  const lastTransitionTime = transitionTime(said, previous, time);
  return { ...said, lastUpdateTime: time, lastTransitionTime };
}

function availability({ spec }: Deployment, counts: DeploymentStatus): Verdict {
  const { type: strategy, rollingUpdate } = spec.strategy;
  const { maxUnavailable } = rolloutLimits(spec.replicas, rollingUpdate);
  const needed = spec.replicas - (strategy === 'Recreate' ? 0 : maxUnavailable);
  const [status, reason, has] =
    (counts.availableReplicas ?? 0) >= needed
      ? (['True', 'MinimumReplicasAvailable', 'has'] as const)
      : (['False', 'MinimumReplicasUnavailable', 'does not have'] as const);
  return { type: 'Available', status, reason, message: `Deployment ${has} minimum availability.` };
}

function replicaFailure(sets: DeploymentSets): readonly Verdict[] {
  const failure = allOf(sets)
    .flatMap((set) => set.status.conditions ?? [])
    .find(({ type, status }) => type === 'ReplicaFailure' && status === 'True');
  return failure ? [{ ...failure, type: 'ReplicaFailure' }] : [];
}

/** undefined: as before. */
function progress(observation: StatusObservation, counts: DeploymentStatus): Verdict | undefined {
  const { deployment, sets, created, now } = observation;
  const before = conditionOf(deployment, 'Progressing');
  const name = sets.next?.metadata.name ?? created ?? '';
  const set = `ReplicaSet "${name}"`;
  if (deployment.spec.paused) return verdict('Unknown', 'DeploymentPaused', 'Deployment is paused');
  if (created !== undefined)
    return moved('NewReplicaSetCreated', `Created new replica set "${created}"`);
  if (isComplete(deployment, counts))
    return verdict('True', available, `${set} has successfully progressed.`);
  if (before?.reason === 'DeploymentPaused')
    return moved('DeploymentResumed', 'Deployment is resumed');
  if (hasProgressed(deployment.status, counts))
    return moved('ReplicaSetUpdated', `${set} is progressing.`);
  if (!before) return moved('FoundNewReplicaSet', `Found new replica set "${name}"`);
  const deadline = progressDeadline(deployment, deployment.status);
  if (deadline !== undefined && now >= deadline)
    return verdict('False', 'ProgressDeadlineExceeded', `${set} has timed out progressing.`);
  return undefined;
}

const verdict = (status: Verdict['status'], reason: string, message: string): Verdict => ({
  type: 'Progressing',
  status,
  reason,
  message,
});

const moved = (reason: string, message: string): Verdict => ({
  ...verdict('True', reason, message),
  renews: true,
});

function hasProgressed(before: DeploymentStatus, now: DeploymentStatus): boolean {
  const old = (counts: DeploymentStatus) => (counts.replicas ?? 0) - (counts.updatedReplicas ?? 0);
  return (
    (now.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(now) < old(before) ||
    (now.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (now.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}
