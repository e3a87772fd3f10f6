import { conditionOf } from '../../api/condition.ts';
import type { Pod } from '../../api/pod.ts';
import { isPodActive, isPodReady } from '../../api/pod-facts.ts';
import type { ReplicaSet, ReplicaSetStatus } from '../../api/replica-set.ts';

export interface ReplicaSetObservation {
  readonly replicaSet: ReplicaSet;
  /** Those that it controls and that match its selector. */
  readonly pods: readonly Pod[];
  /** False: nothing new may come into its namespace. */
  readonly mayCreate: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export type ReplicaSetPlan = ReturnType<typeof planReplicaSet>;

/** As much as one pass creates or removes; the rest follows in the next. */
const maxSteps = 500;

export function planReplicaSet(observation: ReplicaSetObservation) {
  const { replicaSet, pods, mayCreate, now } = observation;
  const active = pods.filter(isPodActive);
  const wanted = replicaSet.metadata.deletionTimestamp ? active.length : replicaSet.spec.replicas;
  const missing = wanted - active.length;
  return {
    /** How many pods to create. */
    create: mayCreate ? Math.min(maxSteps, Math.max(0, missing)) : 0,
    remove: missing < 0 ? leastWorth(active).slice(0, Math.min(maxSteps, -missing)) : [],
    ...observedStatus(replicaSet, active, now),
  };
}

function observedStatus(replicaSet: ReplicaSet, active: readonly Pod[], now: number) {
  const { metadata, spec, status } = replicaSet;
  const times = active.flatMap((pod) => availableAt(pod, spec.minReadySeconds ?? 0) ?? []);
  const coming = times.filter((at) => at > now);
  const templateLabels = Object.entries(spec.template.metadata.labels ?? {});
  const isFullyLabeled = ({ metadata: { labels = {} } }: Pod) =>
    templateLabels.every(([name, value]) => labels[name] === value);
  return {
    status: {
      ...status,
      replicas: active.length,
      fullyLabeledReplicas: active.filter(isFullyLabeled).length,
      readyReplicas: active.filter(isPodReady).length,
      availableReplicas: times.length - coming.length,
      observedGeneration: metadata.generation,
    } satisfies ReplicaSetStatus,
    /** When the next pod becomes available without anything changing. */
    requeueAfterMs: coming.length > 0 ? Math.min(...coming) - now : undefined,
  };
}

/** The pods to remove first come first: as Kubernetes' ActivePodsWithRanks. */
function leastWorth(pods: readonly Pod[]): readonly Pod[] {
  const onNode = Map.groupBy(pods, (pod) => pod.spec.nodeName ?? '');
  const neighbours = (pod: Pod) => onNode.get(pod.spec.nodeName ?? '')?.length ?? 0;
  const phases: readonly string[] = ['Pending', 'Unknown', 'Running'];
  const orders: readonly ((pod: Pod) => number)[] = [
    (pod) => (pod.spec.nodeName ? 1 : 0),
    (pod) => phases.indexOf(pod.status.phase),
    (pod) => (isPodReady(pod) ? 1 : 0),
    (pod) => deletionCost(pod),
    (pod) => -neighbours(pod),
    (pod) => -(readySince(pod) ?? 0),
    (pod) => -restarts(pod),
    (pod) => -Date.parse(pod.metadata.creationTimestamp),
  ];
  return pods.toSorted((a, b) => firstDifference(orders, a, b));
}

function firstDifference(orders: readonly ((pod: Pod) => number)[], a: Pod, b: Pod): number {
  const differences = orders.values().map((order) => order(a) - order(b));
  return differences.find((difference) => difference !== 0) ?? (nameOf(a) < nameOf(b) ? -1 : 1);
}

const nameOf = ({ metadata }: Pod) => metadata.name;

const deletionCost = ({ metadata }: Pod) =>
  Number(metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost']) || 0;

const restarts = ({ status }: Pod) =>
  Math.max(0, ...(status.containerStatuses ?? []).map((container) => container.restartCount));

/** When it became ready, milliseconds since 1970; undefined: it isn't. */
function readySince(pod: Pod): number | undefined {
  const ready = conditionOf(pod, 'Ready');
  if (ready?.status !== 'True') return undefined;
  return ready.lastTransitionTime === undefined ? 0 : Date.parse(ready.lastTransitionTime);
}

/** When it has been, or will have been, ready for long enough; undefined: not ready. */
function availableAt(pod: Pod, minReadySeconds: number): number | undefined {
  const since = readySince(pod);
  return since === undefined ? undefined : since + minReadySeconds * 1000;
}
