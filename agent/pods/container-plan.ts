import type { Container as ContainerSpecOfPod } from '../../api/container.ts';
import type { Pod } from '../../api/pod.ts';
import { type BackoffPolicy, backoffMs } from '../../base/backoff.ts';
import type { Container, ContainerId } from '../ports.ts';
import type { Plan, Start } from './pod-action.ts';
import {
  type ContainerMemory,
  hasEnded,
  memoryOf,
  newestOf,
  type PodObservation,
  succeeded,
} from './pod-observation.ts';

/** Kubernetes' CrashLoopBackOff: at once, then 10 s, 20 s … 5 min. */
const crashBackoff: BackoffPolicy = { firstMs: 10_000, capMs: 300_000 };
/** A run this long wipes the slate clean. */
const goodRunMs = 600_000;

/** Start, restart, stop or leave alone: one container whose turn it is. */
export function planContainer(
  pod: Pod,
  { name: container }: ContainerSpecOfPod,
  observed: PodObservation,
): Plan {
  const newest = newestOf(observed, container);
  if (newest && !hasEnded(newest)) return planRunning(pod, newest.id, observed);
  if (newest && !shouldRestart(pod, newest)) return [];
  const image = observed.images.get(container);
  const attempt = nextAttempt(observed, container);
  const waits = planBackOff(observed, { container, attempt });
  if (waits.length > 0) return waits;
  if (image?.state !== 'present' || image.attempt < attempt) return [];
  return [{ kind: 'start-container', container, attempt }];
}

function planRunning(pod: Pod, id: ContainerId, observed: PodObservation): Plan {
  const probes = observed.probes.get(id.name);
  const { stop } = memoryOf(observed, id.name);
  const failed =
    probes?.startup === false ? 'startup' : probes?.liveness === false ? 'liveness' : undefined;
  if (failed === undefined && stop?.id.attempt !== id.attempt) return [];
  const because = `Container ${id.name} failed ${failed} probe, will be restarted`;
  const graceMs = pod.spec.terminationGracePeriodSeconds * 1000;
  return planStop(id, observed, { graceMs, because });
}

/** SIGTERM, then SIGKILL when the grace has passed. */
export function planStop(
  id: ContainerId,
  observed: PodObservation,
  { graceMs, because }: { readonly graceMs: number; readonly because: string },
): Plan {
  const { stop } = memoryOf(observed, id.name);
  if (stop?.id.attempt !== id.attempt) return [{ kind: 'stop-container', id, because }];
  if (stop.killed) return [];
  const killAtMs = stop.sentAtMs + graceMs;
  if (killAtMs > observed.now) return [{ kind: 'wait', untilMs: killAtMs }];
  return [{ kind: 'kill-container', id }];
}

/** By the pod's restart policy; an init container that succeeded is done, an ephemeral one however it ended. */
export function shouldRestart({ spec }: Pod, ended: Container): boolean {
  const isEnded = ({ name }: ContainerSpecOfPod) => name === ended.id.name;
  if (spec.ephemeralContainers?.some(isEnded)) return false;
  const isInit = spec.initContainers?.some(isEnded) ?? false;
  const { restartPolicy } = spec;
  if (succeeded(ended)) return restartPolicy === 'Always' && !isInit;
  return restartPolicy !== 'Never';
}

/** Of a crash, or of a start that failed. */
function planBackOff(observed: PodObservation, restart: Start): Plan {
  const { now } = observed;
  const afterCrashMs = crashBackoffEndMs(observed, restart.container);
  if (afterCrashMs > now) return [{ kind: 'wait', untilMs: afterCrashMs, restart }];
  const { startFailure } = memoryOf(observed, restart.container);
  if (!startFailure || startFailure.retryAtMs <= now) return [];
  return [{ kind: 'wait', untilMs: startFailure.retryAtMs }];
}

/** 0: no back-off. */
export function crashBackoffEndMs(observed: PodObservation, name: string): number {
  const waitMs = crashBackoffMs(observed, name);
  return waitMs === 0 ? 0 : (newestOf(observed, name)?.exit?.finishedAtMs ?? 0) + waitMs;
}

export function crashBackoffMs(observed: PodObservation, name: string): number {
  const { streak } = memoryOf(observed, name);
  const ended = newestOf(observed, name);
  if (streak === 0 || ended?.exit === undefined || ranWell(ended)) return 0;
  return backoffMs(crashBackoff, streak);
}

/** The streak after this run: one more, or none if the run was long. Called when the next attempt is started. */
export function streakAfter(memory: ContainerMemory, ended: Container | undefined): number {
  if (ended === undefined) return 0;
  return ranWell(ended) ? 0 : memory.streak + 1;
}

const ranWell = ({ exit, startedAtMs }: Container): boolean =>
  exit !== undefined && exit.finishedAtMs - startedAtMs >= goodRunMs;

/** Back-off of a start that failed before the process ran, and of a failed pull. */
export const startBackoff: BackoffPolicy = { firstMs: 1000, capMs: 60_000 };
export const pullBackoff: BackoffPolicy = { firstMs: 10_000, capMs: 300_000 };

/** Counts on over lost sandboxes, so that a container's restart count never goes back. */
export function nextAttempt(observed: PodObservation, name: string): number {
  const newest = newestOf(observed, name);
  return newest ? newest.id.attempt + 1 : 0;
}
