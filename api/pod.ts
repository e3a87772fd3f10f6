import { text, wide } from './columns.ts';
import { conditionOf } from './condition.ts';
import { defaultRunningPodSpec } from './default-pod-spec.ts';
import { formatAge } from './format-age.ts';
import { type Kind, type KubeObject, kind } from './kind.ts';
import { isPodFinished, qosClass } from './pod-facts.ts';
import { podSpecFields } from './pod-spec.ts';
import { type ContainerState, type ContainerStatus, podStatusFields } from './pod-status.ts';
import * as s from './schema.ts';
import {
  validateNoEphemeral,
  validatePodSpec,
  validatePodSpecUpdate,
} from './validate-pod-spec.ts';

const fields = {
  spec: s.obj(podSpecFields).required(),
  status: s.obj(podStatusFields).default({ phase: 'Pending' }),
};

export type Pod = KubeObject<typeof fields>;

export const Pod: Kind<typeof fields> = kind({
  kind: 'Pod',
  shortNames: ['po'],
  categories: ['all'],
  about: 'Containers that run together on one node, with one address and the same volumes.',
  subresources: [
    ...(['status', 'log', 'exec', 'attach', 'portforward', 'eviction', 'binding'] as const),
    ...(['ephemeralcontainers', 'proxy'] as const),
  ],
  fields,
  applyDefaults: (pod) => {
    const spec = defaultRunningPodSpec(pod.spec);
    const quality = pod.status.qosClass ?? qosClass(spec);
    return { ...pod, spec, status: { ...pod.status, qosClass: quality } };
  },
  // Who replaces a pod by its manifest doesn't know what its PriorityClass gave it.
  inherit: ({ spec, ...next }, { spec: previous }) => {
    const { priority = previous.priority, preemptionPolicy = previous.preemptionPolicy } = spec;
    return { ...next, spec: { ...spec, priority, preemptionPolicy } };
  },
  validate: ({ spec }, at) => validatePodSpec(spec, at('spec')),
  validateNew: ({ spec }, at) => validateNoEphemeral('cannot be set on create')(spec, at('spec')),
  validateUpdate: (next, previous, at) =>
    validatePodSpecUpdate(previous.spec)(next.spec, at('spec')),
  // As `kubectl get pods` shows them (source: Kubernetes' printPod).
  columns: [
    text('Ready', 'Containers that are ready, of all.', readyOfAll),
    text('Status', 'In one word.', podStatusWord),
    text('Restarts', 'How often its containers were started again, and when last.', restarts),
    wide(text('IP', 'Its address.', ({ status }) => status.podIP || '<none>')),
    wide(text('Node', 'Its node.', ({ spec }) => spec.nodeName || '<none>')),
    wide(text('Nominated Node', 'Where room is being made for it.', nominatedNode)),
    wide(text('Readiness Gates', 'None in orc.', () => '<none>')),
  ],
  selectableFields: {
    'spec.nodeName': ({ spec }) => spec.nodeName,
    'spec.restartPolicy': ({ spec }) => spec.restartPolicy,
    'spec.schedulerName': ({ spec }) => spec.schedulerName,
    'spec.serviceAccountName': () => '',
    'spec.hostNetwork': ({ spec }) => String(spec.hostNetwork ?? false),
    'status.phase': ({ status }) => status.phase,
    'status.podIP': ({ status }) => status.podIP,
    'status.nominatedNodeName': ({ status }) => status.nominatedNodeName,
  },
});

/** Running, Pending, Completed, CrashLoopBackOff, Init:0/1, Terminating, … */
function podStatusWord(pod: Pod): string {
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (pod.status.reason === 'NodeLost') return 'Unknown';
    if (!isPodFinished(pod)) return 'Terminating';
  }
  return initWord(pod) ?? containersWord(pod);
}

function nominatedNode({ status }: Pod): string {
  return status.nominatedNodeName || '<none>';
}

function readyOfAll({ spec, status }: Pod): string {
  const ready = status.containerStatuses?.filter(({ ready, state }) => ready && state.running);
  return `${ready?.length ?? 0}/${spec.containers.length}`;
}

/** undefined once every init container has succeeded. */
function initWord(pod: Pod): string | undefined {
  if (conditionOf(pod, 'Initialized')?.status === 'True') return undefined;
  const statuses = pod.status.initContainerStatuses ?? [];
  const index = statuses.findIndex(({ state }) => state.terminated?.exitCode !== 0);
  const current = statuses[index];
  if (current === undefined) return undefined;
  const word = failureWord(current.state) ?? waitingWord(current.state);
  if (word !== undefined && word !== 'PodInitializing') return `Init:${word}`;
  return `Init:${index}/${pod.spec.initContainers?.length ?? 0}`;
}

/** The first container with something to say wins; "Completed" only if nothing runs any more. */
function containersWord(pod: Pod): string {
  const { status } = pod;
  const statuses = status.containerStatuses ?? [];
  const words = statuses.map(({ state }) => waitingWord(state) ?? failureWord(state));
  const word = words.find((one) => one !== undefined) ?? status.reason ?? status.phase;
  if (word !== 'Completed' || !statuses.some(({ ready, state }) => ready && state.running))
    return word;
  return conditionOf(pod, 'Ready')?.status === 'True' ? 'Running' : 'NotReady';
}

const waitingWord = ({ waiting }: ContainerState) => waiting?.reason || undefined;

function failureWord({ terminated }: ContainerState): string | undefined {
  if (terminated === undefined) return undefined;
  if (terminated.reason) return terminated.reason;
  return terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;
}

/** "0", or "2 (5m ago)". */
function restarts(pod: Pod, now: number): string {
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status;
  const statuses = initWord(pod) === undefined ? containerStatuses : initContainerStatuses;
  const count = statuses.reduce((total, { restartCount }) => total + restartCount, 0);
  const last = Math.max(...statuses.map(lastEnd));
  return count === 0 || !Number.isFinite(last)
    ? `${count}`
    : `${count} (${formatAge(now - last)} ago)`;
}

const lastEnd = ({ lastState }: ContainerStatus): number => {
  const end = Date.parse(lastState.terminated?.finishedAt ?? '');
  return Number.isNaN(end) ? Number.NEGATIVE_INFINITY : end;
};
