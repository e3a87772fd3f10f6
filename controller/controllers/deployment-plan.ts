import type { Deployment } from '../../api/deployment.ts';
import type { ReplicaSet } from '../../api/replica-set.ts';
import { isSame } from '../../api/same.ts';
import {
  type DeploymentSets,
  latestRevision,
  newSet,
  revisionOf,
  scaled,
  sortSets,
  updatedSet,
} from './deployment-sets.ts';
import { deploymentStatus, isComplete, progressDeadline } from './deployment-status.ts';
import { nextReplicas, planRollingUpdate, type Rollout, rolloutLimits } from './rolling-update.ts';

export interface DeploymentObservation {
  readonly deployment: Deployment;
  /** Those that it controls. */
  readonly sets: readonly ReplicaSet[];
  /** Pods of any of these that still run, terminating ones included: Recreate waits for the old ones. */
  runningPods(set: ReplicaSet): number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export type DeploymentPlan = ReturnType<typeof planDeployment>;

/** One step of the rollout. */
export function planDeployment(observation: DeploymentObservation) {
  const { deployment, now } = observation;
  const sets = sortSets(deployment, observation.sets);
  const { next: replicas, old } = plannedScales(observation, sets);
  const revision = latestRevision(sets);
  const isNew = !sets.next && replicas !== undefined;
  const create = isNew ? newSet(deployment, replicas, revision) : undefined;
  const wanted = [
    ...sets.old.map((set, i) => scaled(set, old[i] ?? set.spec.replicas)),
    ...(sets.next ? [updatedSet(deployment, sets.next, { replicas, revision })] : []),
  ];
  const status = deploymentStatus({ deployment, sets, created: create?.metadata.name, now });
  const deadline = progressDeadline(deployment, status);
  return {
    create,
    update: wanted.filter((set) => !observation.sets.some((known) => isSame(known, set))),
    remove: isComplete(deployment, status) ? forgotten(deployment, sets.old) : [],
    /** Of the present template; undefined: it has no ReplicaSet yet and gets none now. */
    revision: sets.next || create ? revision : undefined,
    status,
    requeueAfterMs: deadline === undefined ? undefined : Math.max(0, deadline - now),
  };
}

/** `next`: undefined leaves it as it is; with no ReplicaSet there, none is to be made. */
function plannedScales(observation: DeploymentObservation, sets: DeploymentSets) {
  const { spec } = observation.deployment;
  if (spec.paused) return scaleWhilePaused(spec.replicas, sets);
  if (spec.strategy.type === 'Recreate') return recreate(observation, sets);
  const rollout = rolloutOf(observation.deployment, sets);
  return sets.next
    ? planRollingUpdate(rollout)
    : { next: nextReplicas(rollout), old: rollout.old.map(({ replicas }) => replicas) };
}

function rolloutOf({ spec }: Deployment, { next, old }: DeploymentSets): Rollout {
  const scaleOf = (set: ReplicaSet | undefined) => ({
    replicas: set?.spec.replicas ?? 0,
    available: set?.status.availableReplicas ?? 0,
  });
  const limits = rolloutLimits(spec.replicas, spec.strategy.rollingUpdate);
  return { desired: spec.replicas, limits, next: scaleOf(next), old: old.map(scaleOf) };
}

/** All old pods end before the first new one starts. */
function recreate({ deployment, runningPods }: DeploymentObservation, sets: DeploymentSets) {
  const old = sets.old.map(() => 0);
  const isEmpty = sets.old.every((set) => set.spec.replicas === 0 && runningPods(set) === 0);
  return { next: isEmpty ? deployment.spec.replicas : sets.next?.spec.replicas, old };
}

/** The rollout stands still; a changed number of replicas goes to the newest ReplicaSet that has pods. */
function scaleWhilePaused(desired: number, { next, old }: DeploymentSets) {
  const replicas = old.map((set) => set.spec.replicas);
  const total = replicas.reduce((sum, n) => sum + n, next?.spec.replicas ?? 0);
  const change = desired - total;
  const last = replicas.findLastIndex((n) => n > 0);
  if (next && (next.spec.replicas > 0 || last < 0))
    return { next: Math.max(0, next.spec.replicas + change), old: replicas };
  return {
    next: next?.spec.replicas,
    old: replicas.map((n, i) => (i === last ? Math.max(0, n + change) : n)),
  };
}

/** Beyond revisionHistoryLimit, the oldest revisions first. */
function forgotten({ spec }: Deployment, old: readonly ReplicaSet[]): readonly ReplicaSet[] {
  const empty = old.filter(
    (set) =>
      set.spec.replicas === 0 &&
      set.status.replicas === 0 &&
      set.metadata.deletionTimestamp === undefined,
  );
  const excess = Math.max(0, empty.length - spec.revisionHistoryLimit);
  return empty.toSorted((a, b) => revisionOf(a) - revisionOf(b)).slice(0, excess);
}
