import type { Container as ContainerSpecOfPod } from '../../api/container.ts';
import type { Pod } from '../../api/pod.ts';
import type { ContainerState, ContainerStatus } from '../../api/pod-status.ts';
import { formatTime } from '../../base/clock.ts';
import type { Container } from '../ports.ts';
import { crashBackoffEndMs, crashBackoffMs, shouldRestart } from './container-plan.ts';
import {
  type FailedPull,
  hasEnded,
  type ImageState,
  memoryOf,
  newestOf,
  type PodObservation,
  succeeded,
} from './pod-observation.ts';

/** The status of one container, in Kubernetes' words. Pure. */
export function containerStatus(
  pod: Pod,
  container: ContainerSpecOfPod,
  observed: PodObservation,
): ContainerStatus {
  const newest = newestOf(observed, container.name);
  const running = newest !== undefined && !hasEnded(newest);
  const waits = waitingState(pod, container, observed);
  const image = observed.images.get(container.name);
  return {
    name: container.name,
    state: running ? runningState(newest) : (waits ?? endedState(newest)),
    lastState: lastState(observed, newest, !running && waits !== undefined),
    ready: running && isReady(container, observed),
    started: running && hasStarted(container, observed),
    restartCount: newest?.id.attempt ?? 0,
    image: container.image,
    imageID: image?.state === 'present' ? image.image.id : '',
    ...(newest ? { containerID: containerId(newest) } : {}),
  };
}

const hasStarted = ({ name, startupProbe }: ContainerSpecOfPod, { probes }: PodObservation) =>
  startupProbe === undefined || probes.get(name)?.startup === true;

function isReady(container: ContainerSpecOfPod, observed: PodObservation): boolean {
  const { name, readinessProbe } = container;
  if (!hasStarted(container, observed)) return false;
  return readinessProbe === undefined || observed.probes.get(name)?.readiness === true;
}

const runningState = ({ startedAtMs }: Container): ContainerState => ({
  running: { startedAt: formatTime(startedAtMs) },
});

/** Ended for good. */
const endedState = (ended: Container | undefined): ContainerState =>
  ended ? { terminated: terminated(ended) } : { waiting: { reason: 'ContainerCreating' } };

/** undefined: it is not waited for anything. */
function waitingState(
  pod: Pod,
  container: ContainerSpecOfPod,
  observed: PodObservation,
): ContainerState | undefined {
  const newest = newestOf(observed, container.name);
  if (newest && !(hasEnded(newest) && shouldRestart(pod, newest))) return undefined;
  const waiting = (reason: string, message?: string): ContainerState => ({
    waiting: { reason, ...(message === undefined ? {} : { message }) },
  });
  const image = observed.images.get(container.name);
  const failed = image?.state === 'pulling' ? image.failed : image;
  if (failed?.state === 'failed') return waiting(...pullWords(failed, container));
  const { startFailure } = memoryOf(observed, container.name);
  if (startFailure) return waiting(startFailure.reason, startFailure.message);
  if (crashBackoffEndMs(observed, container.name) > observed.now)
    return waiting('CrashLoopBackOff', crashWords(pod, container, observed));
  if (isWaitingForInit(pod, container, observed)) return waiting('PodInitializing');
  if (observed.blocked) return waiting('ContainerCreating', observed.blocked.message);
  return newest ? undefined : waiting('ContainerCreating', progressWords(image));
}

function isWaitingForInit(pod: Pod, container: ContainerSpecOfPod, observed: PodObservation) {
  const { initContainers: init = [], containers } = pod.spec;
  if (!containers.includes(container)) return false;
  if (newestOf(observed, container.name)) return false;
  return init.some((c) => !succeeded(newestOf(observed, c.name)));
}

function pullWords(
  { reason, message, failures }: FailedPull,
  container: ContainerSpecOfPod,
): [string, string] {
  if (reason !== 'ErrImagePull' || failures === 1) return [reason, message];
  return ['ImagePullBackOff', `Back-off pulling image "${container.image}": ${message}`];
}

function progressWords(image: ImageState | undefined): string | undefined {
  if (image?.state !== 'pulling' || !image.progress) return undefined;
  const { doneBytes, totalBytes } = image.progress;
  return `Pulling image: ${megabytes(doneBytes)} of ${megabytes(totalBytes)}`;
}

const megabytes = (bytes: number): string => `${(bytes / 1_000_000).toFixed(1)} MB`;

function crashWords(pod: Pod, container: ContainerSpecOfPod, observed: PodObservation): string {
  const seconds = crashBackoffMs(observed, container.name) / 1000;
  const { namespace, name } = pod.metadata;
  return `back-off ${seconds}s restarting failed container=${container.name} pod=${name}_${namespace}`;
}

/** How the run before the shown state ended. */
function lastState(
  observed: PodObservation,
  newest: Container | undefined,
  newestIsPast: boolean,
): ContainerState {
  if (newest === undefined) return {};
  if (newestIsPast) return { terminated: terminated(newest) };
  const before = observed.containers.find(
    (c) => c.id.name === newest.id.name && c.id.attempt === newest.id.attempt - 1,
  );
  const { lost } = memoryOf(observed, newest.id.name);
  const past = before ?? (lost && lost.id.attempt < newest.id.attempt ? lost : undefined);
  return past && hasEnded(past) ? { terminated: terminated(past) } : {};
}

function terminated(ended: Container): NonNullable<ContainerState['terminated']> {
  const { exit } = ended;
  const base = { startedAt: formatTime(ended.startedAtMs), containerID: containerId(ended) };
  if (exit === undefined) {
    return {
      ...base,
      exitCode: 137,
      reason: 'ContainerStatusUnknown',
      message: 'The process that kept this container was lost, and the container with it',
    };
  }
  return {
    ...base,
    exitCode: exit.exitCode,
    ...(exit.signal === undefined ? {} : { signal: exit.signal }),
    reason: exit.oomKilled ? 'OOMKilled' : exit.exitCode === 0 ? 'Completed' : 'Error',
    ...(exit.message === undefined ? {} : { message: exit.message }),
    finishedAt: formatTime(exit.finishedAtMs),
  };
}

const containerId = ({ id }: Container): string => `orc://${id.uid}/${id.name}/${id.attempt}`;
