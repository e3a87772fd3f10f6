import type { Container as ContainerSpecOfPod } from '../../api/container.ts';
import type { Pod } from '../../api/pod.ts';
import { isPodFinished } from '../../api/pod-facts.ts';
import type { PodAssignment } from '../ledger/assignment.ts';
import { nextAttempt, planContainer, planStop } from './container-plan.ts';
import type { Plan, PodAction } from './pod-action.ts';
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
export function planPod(desired: PodAssignment | undefined, observed: PodObservation): Plan {
  if (desired === undefined) return planTeardown(observed, orphanGraceMs);
  const { pod } = desired;
  if (isDeleted(pod)) return planTeardown(observed, graceMsOf(pod));
  // Volumes and address belong to the pod: they outlive its sandbox.
  if (observed.sandbox?.state === 'lost') return [{ kind: 'remove-sandbox' }];
  if (isFinished(pod, observed))
    return [...planStops(observed, graceMsOf(pod)), ...planOldAttempts(observed)];
  const turn = [...newEphemeral(pod, observed), ...containersToRun(pod, observed)];
  const pulls = turn.flatMap((c) => planPull(c, observed));
  const plan = (container: ContainerSpecOfPod) => planContainer(pod, container, observed);
  if (observed.blocked && observed.blocked.retryAtMs > observed.now) {
    const runs = turn.filter((c) => isRunning(newestOf(observed, c.name))).flatMap(plan);
    return [...pulls, ...runs, { kind: 'wait', untilMs: observed.blocked.retryAtMs }];
  }
  const ground = planGround(pod, observed);
  if (ground !== undefined) return [...pulls, ground];
  return [...pulls, ...turn.flatMap(plan), ...planOldAttempts(observed)];
}

/** What containers stand on comes first: volumes, then the sandbox, then its network. undefined: it is there. */
function planGround(pod: Pod, observed: PodObservation): PodAction | undefined {
  if (observed.volumes !== 'ready') return { kind: 'ensure-volumes' };
  if (observed.sandbox === undefined) return { kind: 'create-sandbox' };
  if (!observed.attached && !pod.spec.hostNetwork) return { kind: 'attach-network' };
  return undefined;
}

/** The first init container that has not succeeded; with all of them done, every container. */
function containersToRun(pod: Pod, observed: PodObservation): readonly ContainerSpecOfPod[] {
  const pending = pendingInitContainer(pod, observed);
  return pending ? [pending] : pod.spec.containers;
}

/** Each is started once, whatever the others do. */
const newEphemeral = ({ spec: { ephemeralContainers = [] } }: Pod, observed: PodObservation) =>
  ephemeralContainers.filter(({ name }) => newestOf(observed, name) === undefined);

function pendingInitContainer(pod: Pod, observed: PodObservation): ContainerSpecOfPod | undefined {
  // Once a container of the pod has started the init containers are behind it, whatever records are left of them.
  if (pod.spec.containers.some((c) => newestOf(observed, c.name))) return undefined;
  return pod.spec.initContainers?.find((c) => !succeeded(newestOf(observed, c.name)));
}

function planPull({ name: container }: ContainerSpecOfPod, observed: PodObservation): Plan {
  if (isRunning(newestOf(observed, container))) return [];
  const attempt = nextAttempt(observed, container);
  const image = observed.images.get(container);
  if (image?.state === 'pulling') return [];
  if (image?.state === 'present' && image.attempt >= attempt) return [];
  if (image?.state === 'failed' && image.retryAtMs > observed.now)
    return [{ kind: 'wait', untilMs: image.retryAtMs }];
  return [{ kind: 'pull-image', container, attempt }];
}

/** Nothing will be started again: what ended has ended, by the pod's restart policy. */
export function isFinished(pod: Pod, observed: PodObservation): boolean {
  // Its end has been reported: whatever is left of it here, it never runs again.
  if (isPodFinished(pod)) return true;
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

function graceMsOf(pod: Pod): number {
  const { deletionGracePeriodSeconds } = pod.metadata;
  return (deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds) * 1000;
}

/** The last but one is kept, for `lastState` and `logs --previous`; older ones go. */
const planOldAttempts = (observed: PodObservation): Plan =>
  observed.containers
    .filter(
      (c) => hasEnded(c) && c.id.attempt < (newestOf(observed, c.id.name)?.id.attempt ?? 0) - 1,
    )
    .map((c) => ({ kind: 'remove-container', id: c.id }));

function planTeardown(observed: PodObservation, graceMs: number): Plan {
  const stops = planStops(observed, graceMs);
  return observed.containers.some(isRunning) ? stops : removeAll(observed);
}

const planStops = (observed: PodObservation, graceMs: number): Plan =>
  observed.containers
    .filter(isRunning)
    .flatMap((c) => planStop(c.id, observed, { graceMs, because: '' }));

function removeAll(observed: PodObservation): Plan {
  const actions: PodAction[] = [];
  if (observed.network) actions.push({ kind: 'detach-network' });
  if (observed.sandbox) actions.push({ kind: 'remove-sandbox' });
  if (observed.volumes !== 'none') actions.push({ kind: 'remove-volumes' });
  return actions;
}
