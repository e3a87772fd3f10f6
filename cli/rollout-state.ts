import { conditionOf } from '../api/condition.ts';
import type { Deployment } from '../api/deployment.ts';
import type { Pod } from '../api/pod.ts';
import { isPodReady } from '../api/pod-facts.ts';

/** How far a rollout is. Pure: from the Deployment and its pods alone. */
export interface RolloutState {
  readonly phase: 'going' | 'done' | 'stuck';
  readonly wanted: number;
  readonly ready: number;
  /** Pods of the present template or before that can't run as they are. */
  readonly failing: readonly FailingPod[];
  /** Why it is stuck. */
  readonly message: string;
}

export interface FailingPod {
  readonly pod: Pod;
  /** "" before it has a node. */
  readonly container: string;
  /** "CrashLoopBackOff", "ImagePullBackOff" */
  readonly reason: string;
  readonly message: string;
  /** Of its last run: then there may be a log to look at. */
  readonly exitCode: number | undefined;
}

export function rolloutState(deployment: Deployment, pods: readonly Pod[]): RolloutState {
  const { spec, status, metadata } = deployment;
  const isSeen = (status.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  const updated = isSeen ? (status.updatedReplicas ?? 0) : 0;
  const ready = Math.min(updated, status.availableReplicas ?? 0);
  const failing = pods.filter(({ metadata }) => !metadata.deletionTimestamp).flatMap(failureOf);
  // A container without a readiness probe counts as ready until its end is told: its pod knows first.
  const isDone =
    isSeen &&
    updated === spec.replicas &&
    (status.replicas ?? 0) === spec.replicas &&
    (status.availableReplicas ?? 0) === spec.replicas &&
    failing.length === 0;
  const stuck = isSeen
    ? status.conditions?.find(({ reason }) => reason === 'ProgressDeadlineExceeded')
    : undefined;
  return {
    phase: isDone ? 'done' : stuck ? 'stuck' : 'going',
    ...{ wanted: spec.replicas, ready, failing },
    message: stuck?.message ?? '',
  };
}

/** What `kubectl get pods` shows while all is well: no failure yet. */
const harmless = ['', 'ContainerCreating', 'PodInitializing', 'Completed'];

/** Why a pod that isn’t ready can’t be; nothing while all may still be well. */
export function failureOf(pod: Pod): readonly FailingPod[] {
  if (isPodReady(pod)) return [];
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status;
  for (const { name, state, lastState } of [...initContainerStatuses, ...containerStatuses]) {
    const ended = state.terminated ?? lastState.terminated;
    const { reason = '', message = '' } = state.waiting ?? state.terminated ?? {};
    if (harmless.includes(reason)) continue;
    return [{ pod, container: name, reason, message, exitCode: ended?.exitCode }];
  }
  return unplaced(pod);
}

function unplaced(pod: Pod): readonly FailingPod[] {
  const placed = conditionOf(pod, 'PodScheduled');
  if (placed?.status !== 'False') return [];
  const { reason = 'Unschedulable', message = '' } = placed;
  return [{ pod, container: '', reason, message, exitCode: undefined }];
}
