import type { Container as ContainerSpecOfPod } from '../../api/container.ts';
import type { Pod } from '../../api/pod.ts';
import type { PodAssignment } from '../ledger/assignment.ts';
import { nextAttempt, planContainer, planStop } from './container-plan.ts';
import type { PodAction } from './pod-action.ts';
import {
  hasEnded,
  isRunning,
  newestOf,
  type PodObservation,
  succeeded,
} from './pod-observation.ts';

/** After a pod was taken from this node without a word, its processes get this long to end by themselves. */
const orphanGraceMs = 2000;

/**
 * What to do next for one pod. Pure and total: reads no clock, never throws. Steps that need the outcome of an earlier
 * one are left to the next plan.
 */
export function planPod(
  desired: PodAssignment | undefined,
  observed: PodObservation,
  now: number,
): readonly PodAction[] {
  if (desired === undefined) return planTeardown(observed, { graceMs: orphanGraceMs, now });
  const { pod } = desired;
  if (isDeleted(pod)) {
    return planTeardown(observed, { graceMs: graceMsOf(pod), now });
  }
  // Volumes and address belong to the pod: they outlive its sandbox.
  if (observed.sandbox?.state === 'lost') return [{ kind: 'remove-sandbox' }];
  if (isFinished(pod, observed)) return planOldAttempts(observed);
  const turn = containersToRun(pod, observed);
  const pulls = turn.flatMap((c) => planPull(c, observed, now));
  if (observed.blocked && observed.blocked.retryAtMs > now) {
    const running = turn.filter((c) => isRunning(newestOf(observed, c.name)));
    const runs = running.flatMap((c) => planContainer(pod, c, { observed, now }));
    return [...pulls, ...runs, { kind: 'wait', untilMs: observed.blocked.retryAtMs }];
  }
  return [...pulls, ...planGround(pod, observed, () => planRuns(pod, turn, { observed, now }))];
}

/** What containers stand on comes first: volumes, then the sandbox, then its network. */
function planGround(
  pod: Pod,
  observed: PodObservation,
  then: () => readonly PodAction[],
): readonly PodAction[] {
  if (observed.volumes !== 'ready') return [{ kind: 'ensure-volumes' }];
  if (observed.sandbox === undefined) return [{ kind: 'create-sandbox' }];
  if (!observed.attached && !pod.spec.hostNetwork) return [{ kind: 'attach-network' }];
  return then();
}

function planRuns(
  pod: Pod,
  turn: readonly ContainerSpecOfPod[],
  at: { readonly observed: PodObservation; readonly now: number },
): readonly PodAction[] {
  const runs = turn.flatMap((container) => planContainer(pod, container, at));
  return [...runs, ...planOldAttempts(at.observed)];
}

/** The first init container that has not succeeded; with all of them done, every container. */
function containersToRun(pod: Pod, observed: PodObservation): readonly ContainerSpecOfPod[] {
  const pending = pendingInitContainer(pod, observed);
  return pending ? [pending] : pod.spec.containers;
}

function pendingInitContainer(pod: Pod, observed: PodObservation): ContainerSpecOfPod | undefined {
  // Once a container of the pod has started the init containers are behind it, whatever records are left of them.
  if (pod.spec.containers.some((c) => newestOf(observed, c.name))) return undefined;
  return pod.spec.initContainers?.find((c) => !succeeded(newestOf(observed, c.name)));
}

function planPull(
  container: ContainerSpecOfPod,
  observed: PodObservation,
  now: number,
): readonly PodAction[] {
  const newest = newestOf(observed, container.name);
  if (newest && !hasEnded(newest)) return [];
  const attempt = nextAttempt(observed, container.name);
  const image = observed.images.get(container.name);
  if (image?.state === 'pulling') return [];
  if (image?.state === 'present' && image.attempt >= attempt) return [];
  if (image?.state === 'failed' && image.retryAtMs > now) {
    return [{ kind: 'wait', untilMs: image.retryAtMs }];
  }
  return [{ kind: 'pull-image', container: container.name, attempt }];
}

/** Nothing will be started again: what ended has ended, by the pod's restart policy. */
export function isFinished(pod: Pod, observed: PodObservation): boolean {
  if (hasItsLastWord(pod)) return true;
  const { restartPolicy, initContainers = [], containers } = pod.spec;
  if (restartPolicy === 'Always') return false;
  const ended = (name: string) => {
    const newest = newestOf(observed, name);
    if (!newest || !hasEnded(newest)) return false;
    return succeeded(newest) || restartPolicy === 'Never';
  };
  const initFailed = initContainers.some(
    ({ name }) => ended(name) && !succeeded(newestOf(observed, name)),
  );
  return initFailed || containers.every(({ name }) => ended(name));
}

export const isDeleted = ({ metadata }: Pod): boolean => metadata.deletionTimestamp !== undefined;

/** Its end has been reported: whatever is left of it here, it never runs again. */
export const hasItsLastWord = ({ status }: Pod): boolean =>
  status.phase === 'Succeeded' || status.phase === 'Failed';

function graceMsOf(pod: Pod): number {
  const { deletionGracePeriodSeconds } = pod.metadata;
  return (deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds) * 1000;
}

/** The last but one is kept, for `lastState` and `logs --previous`; older ones go. */
function planOldAttempts(observed: PodObservation): readonly PodAction[] {
  return observed.containers
    .filter(
      (c) => hasEnded(c) && c.id.attempt < (newestOf(observed, c.id.name)?.id.attempt ?? 0) - 1,
    )
    .map((c) => ({ kind: 'remove-container', id: c.id }));
}

function planTeardown(
  observed: PodObservation,
  order: { readonly graceMs: number; readonly now: number },
): readonly PodAction[] {
  const running = observed.containers.filter((c) => !hasEnded(c));
  if (running.length === 0) return removeAll(observed);
  return running.flatMap((c) => planStop(c.id, observed, { ...order, because: '' }));
}

function removeAll(observed: PodObservation): readonly PodAction[] {
  const actions: PodAction[] = [];
  if (observed.network) actions.push({ kind: 'detach-network' });
  if (observed.sandbox) actions.push({ kind: 'remove-sandbox' });
  if (observed.volumes !== 'none') actions.push({ kind: 'remove-volumes' });
  return actions;
}
