import { transitionTime } from '../../api/condition.ts';
import type { Pod } from '../../api/pod.ts';
import { isPodFinished, qosClass } from '../../api/pod-facts.ts';
import type { ContainerStatus, PodCondition, PodStatus } from '../../api/pod-status.ts';
import { formatTime } from '../../base/clock.ts';
import { containerStatus } from './container-status.ts';
import type { PodObservation } from './pod-observation.ts';
import { isFinished } from './pod-plan.ts';

export interface StatusInput {
  readonly pod: Pod;
  readonly observed: PodObservation;
  readonly hostIp: string;
  readonly startedAtMs: number;
  /** The conditions before: transition times are kept where nothing changed. */
  readonly previous: PodStatus['conditions'];
}

/** What the agent says of a pod. Pure. PodScheduled is the scheduler's and not in it. */
export function podStatus(input: StatusInput): PodStatus {
  const { pod, observed } = input;
  const statusesOf = (containers: Pod['spec']['containers'] = []) =>
    containers.map((container) => containerStatus(pod, container, observed));
  const init = statusesOf(pod.spec.initContainers).map(initStatus);
  const containers = statusesOf(pod.spec.containers);
  const ephemeral = statusesOf(pod.spec.ephemeralContainers).map(neverReady);
  const phase = podPhase(pod, observed, containers);
  const podIp = pod.spec.hostNetwork ? input.hostIp : observed.network?.podIp;
  return {
    phase,
    conditions: conditions(input, { init, containers, phase }),
    hostIP: input.hostIp,
    hostIPs: [{ ip: input.hostIp }],
    ...(podIp === undefined ? {} : { podIP: podIp, podIPs: [{ ip: podIp }] }),
    startTime: formatTime(input.startedAtMs),
    ...(init.length === 0 ? {} : { initContainerStatuses: init }),
    containerStatuses: containers,
    ...(ephemeral.length === 0 ? {} : { ephemeralContainerStatuses: ephemeral }),
    qosClass: qosClass(pod.spec),
    ...(observed.blocked ? { message: observed.blocked.message } : {}),
  };
}

type Phase = PodStatus['phase'];

/** An init container is ready when it has succeeded. */
const initStatus = (status: ContainerStatus): ContainerStatus => ({
  ...status,
  ready: status.state.terminated?.exitCode === 0,
});

/** Nobody waits for an ephemeral container. */
const neverReady = (status: ContainerStatus): ContainerStatus => ({ ...status, ready: false });

function podPhase(pod: Pod, observed: PodObservation, containers: readonly ContainerStatus[]) {
  if (isPodFinished(pod)) return pod.status.phase;
  if (isFinished(pod, observed))
    return containers.every((c) => c.state.terminated?.exitCode === 0) ? 'Succeeded' : 'Failed';
  const allBegun = containers.every(
    (c) => c.state.running || c.state.terminated || c.lastState.terminated,
  );
  return allBegun ? 'Running' : 'Pending';
}

function conditions(
  input: StatusInput,
  found: {
    readonly init: readonly ContainerStatus[];
    readonly containers: readonly ContainerStatus[];
    readonly phase: Phase;
  },
): readonly PodCondition[] {
  const notInit = found.init.filter((c) => !c.ready).map((c) => c.name);
  const notReady = found.containers.filter((c) => !c.ready).map((c) => c.name);
  const completed = found.phase === 'Succeeded' ? { reason: 'PodCompleted' } : undefined;
  const ended = found.phase === 'Failed' ? { reason: 'PodFailed' } : completed;
  const ready: Verdict = ended
    ? { ok: false, ...ended }
    : verdict(notReady, 'ContainersNotReady', 'containers with unready status');
  const initialized: Verdict =
    found.phase === 'Running' || completed
      ? { ok: true, ...completed }
      : verdict(notInit, 'ContainersNotInitialized', 'containers with incomplete status');
  const verdicts: Readonly<Record<string, Verdict>> = {
    PodReadyToStartContainers: { ok: input.observed.sandbox?.state === 'ready' },
    Initialized: initialized,
    Ready: ready,
    ContainersReady: ready,
  };
  return Object.entries(verdicts).map(([type, of]) => condition(input, type, of));
}

type Verdict = Readonly<{ ok: boolean; reason?: string; message?: string }>;

function verdict(missing: readonly string[], reason: string, words: string): Verdict {
  if (missing.length === 0) return { ok: true };
  return { ok: false, reason, message: `${words}: [${missing.join(' ')}]` };
}

function condition(input: StatusInput, type: string, { ok, ...why }: Verdict): PodCondition {
  const status = ok ? 'True' : 'False';
  const before = input.previous?.find((c) => c.type === type);
  const lastTransitionTime = transitionTime({ status }, before, formatTime(input.observed.now));
  return { type, status, ...why, lastTransitionTime };
}
