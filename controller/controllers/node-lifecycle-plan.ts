import { conditionOf, withCondition } from '../../api/condition.ts';
import type { Lease } from '../../api/lease.ts';
import type { Node, NodeCondition, Taint } from '../../api/node.ts';
import type { Pod } from '../../api/pod.ts';
import { tolerates } from '../../api/pod-facts.ts';
import type { Toleration } from '../../api/pod-spec.ts';
import type { PodCondition } from '../../api/pod-status.ts';
import { isSame } from '../../api/same.ts';
import { formatTime } from '../../base/clock.ts';

export interface NodeObservation {
  readonly node: Node;
  /** Renewed by the dispatcher as long as the agent is heard. */
  readonly lease: Lease | undefined;
  /** When a renewal of the lease was seen last, by a clock that doesn't jump; undefined: none was seen yet. */
  readonly heardAt?: number | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Silence from before this doesn't count: nobody was there to hear. */
  readonly listeningSince: number;
}

export type NodePlan = ReturnType<typeof planNode>;

/** Of a node that has no Lease yet; otherwise the Lease says. */
const defaultLeaseSeconds = 4;

/** After an absence of the controller the agents come back one by one: within two seconds each, and then beat. */
export const reconnectMs = 10_000;

const unreachable = 'node.kubernetes.io/unreachable';
const notReady = 'node.kubernetes.io/not-ready';

/** By the condition that brings them. They keep new pods away, and leave those that run alone. */
const pressureTaints: Readonly<Record<string, string>> = {
  DiskPressure: 'node.kubernetes.io/disk-pressure',
  MemoryPressure: 'node.kubernetes.io/memory-pressure',
  PIDPressure: 'node.kubernetes.io/pid-pressure',
};

const ownTaints = new Set([unreachable, notReady, ...Object.values(pressureTaints)]);

export function planNode({ node, lease, heardAt, now, listeningSince }: NodeObservation) {
  const written = Date.parse(lease?.spec.renewTime ?? node.metadata.creationTimestamp);
  const renewed = heardAt ?? (written >= listeningSince ? written : undefined);
  const seconds = lease?.spec.leaseDurationSeconds ?? defaultLeaseSeconds;
  const expiresAt = renewed === undefined ? listeningSince + reconnectMs : renewed + seconds * 1000;
  const isLost = now >= expiresAt;
  const status = { ...node.status, conditions: withReadiness(node, isLost, now) };
  const { taints: present = [], ...spec } = node.spec;
  const taints = withTaints(present, status, now);
  const next = { ...node, spec: { ...spec, ...(taints.length > 0 ? { taints } : {}) }, status };
  return {
    /** With the condition and the taints that it should have; the same object if it has them. */
    node: isSame(next, node) ? node : next,
    isLost,
    /** When the lease runs out. */
    nextCheckAt: isLost ? undefined : expiresAt,
  };
}

/** Of a lost node nothing is known. What it is when it is heard again, the dispatcher writes. */
function withReadiness(node: Node, isLost: boolean, now: number): readonly NodeCondition[] {
  const { conditions = [] } = node.status;
  const ready = conditionOf(node, 'Ready');
  if (!isLost || ready?.status === 'Unknown') return conditions;
  const unknown = {
    type: 'Ready',
    status: 'Unknown',
    lastHeartbeatTime: ready?.lastHeartbeatTime,
    reason: 'NodeStatusUnknown',
    message: 'The agent stopped posting node status.',
  } as const;
  return withCondition(conditions, unknown, formatTime(now));
}

function withTaints(taints: readonly Taint[], status: Node['status'], now: number): Taint[] {
  const foreign = [
    ...taints.filter(({ key }) => !ownTaints.has(key)),
    ...(status.conditions ?? []).flatMap(({ type, status }): readonly Taint[] => {
      const key = status === 'True' ? pressureTaints[type] : undefined;
      return key === undefined ? [] : [{ key, effect: 'NoSchedule' }];
    }),
  ];
  const ready = conditionOf({ status }, 'Ready')?.status;
  if (ready === undefined || ready === 'True') return foreign;
  const key = ready === 'Unknown' ? unreachable : notReady;
  const known = taints.filter((taint) => taint.key === key);
  const since = (effect: Taint['effect']) =>
    known.find((taint) => taint.effect === effect)?.timeAdded ?? formatTime(now);
  return [
    ...foreign,
    { key, effect: 'NoSchedule', timeAdded: since('NoSchedule') },
    { key, effect: 'NoExecute', timeAdded: since('NoExecute') },
  ];
}

const podOfLostNode = 'NodeLost';

/**
 * A pod of a lost node is not ready; when the node is heard again and has said nothing else of the pod since, it is
 * what it was: an agent reports changes, and may not even have noticed. Returns the pod itself if all is as it is.
 */
export function planPodReadiness(pod: Pod, isLost: boolean, now: number): Pod {
  const ready = conditionOf(pod, 'Ready');
  const isOurs = ready?.status === 'False' && ready.reason === podOfLostNode;
  if (!ready || (isLost ? ready.status !== 'True' : !isOurs)) return pod;
  const { reason: _, ...rest } = ready;
  const lastTransitionTime = formatTime(now);
  const next: PodCondition = isLost
    ? { ...ready, status: 'False', reason: podOfLostNode, lastTransitionTime }
    : { ...rest, status: 'True', lastTransitionTime };
  const conditions = pod.status.conditions?.map((known) => (known === ready ? next : known));
  return { ...pod, status: { ...pod.status, conditions } };
}

/** How long a pod stays on a lost node if it doesn't say. Kubernetes: 300. */
const defaultTolerationSeconds = 2;

/** When this pod has to leave the node; undefined: it may stay. Milliseconds since 1970. */
export function evictionTime(pod: Pod, taints: readonly Taint[]): number | undefined {
  const times = taints
    .filter(({ effect }) => effect === 'NoExecute')
    .map((taint) => staysUntil(pod.spec.tolerations ?? [], taint));
  const earliest = Math.min(...times);
  return Number.isFinite(earliest) ? earliest : undefined;
}

function staysUntil(tolerations: readonly Toleration[], taint: Taint): number {
  const from = taint.timeAdded === undefined ? 0 : Date.parse(taint.timeAdded);
  const isOurs = taint.key === unreachable || taint.key === notReady;
  const matching = tolerations.filter((toleration) => tolerates(toleration, taint));
  if (matching.length === 0) return isOurs ? from + defaultTolerationSeconds * 1000 : from;
  const limits = matching.map((one) => one.tolerationSeconds ?? Number.POSITIVE_INFINITY);
  return from + Math.max(0, Math.min(...limits)) * 1000;
}
