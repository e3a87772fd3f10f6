import type { Node } from '../../api/node.ts';
import type { Pod } from '../../api/pod.ts';
import type { HostPort } from '../../api/pod-facts.ts';
import { hostPorts, isPodFinished, podRequests, tolerates } from '../../api/pod-facts.ts';
import { milliOf, wholeOf } from '../../api/quantity.ts';

/** CPU in millicores, memory in bytes, pods. */
export type Resources = Readonly<{ cpuMilli: number; memoryBytes: number; pods: number }>;

/** A pod with what it takes: worked out once, asked of every node. */
export interface Demand {
  readonly pod: Pod;
  readonly requests: Resources;
  readonly hostPorts: readonly HostPort[];
  /** "": the node's own. */
  readonly runtimeHandler: string;
}

export const demandOf = (pod: Pod, runtimeHandler = ''): Demand => ({
  ...{ pod, runtimeHandler },
  requests: { ...podRequests(pod.spec), pods: 1 },
  hostPorts: hostPorts(pod.spec),
});

/** A node as the scheduler sees it: what it has, what is taken, and by whom. */
export interface NodeState {
  readonly node: Node;
  readonly allocatable: Resources;
  readonly requested: Resources;
  /** Those that take room. */
  readonly pods: readonly Pod[];
  /** The priority of the least important of them. */
  readonly lowest: number;
  /** Pods on it by the uid of their controller: so that a ReplicaSet's pods spread. */
  readonly podsOfOwner: ReadonlyMap<string, number>;
  /** That pods on it have taken. */
  readonly hostPorts: readonly HostPort[];
}

/** By the name of the node. */
export type Snapshot = ReadonlyMap<string, NodeState>;

export function takeSnapshot(
  nodes: readonly Node[],
  podsOn: (node: string) => readonly Pod[],
): Snapshot {
  return new Map(
    nodes.map((node) => {
      const { name } = node.metadata;
      return [name, stateOf(node, podsOn(name).filter(takesRoom))];
    }),
  );
}

/** A node with these pods on it. */
export const stateOf = (node: Node, pods: readonly Pod[]): NodeState =>
  pods.reduce(withPod, emptyNode(node));

/** The snapshot once this pod is on that node. */
export function assume(snapshot: Snapshot, pod: Pod, node: string): Snapshot {
  const state = snapshot.get(node);
  return state ? new Map(snapshot).set(node, withPod(state, pod)) : snapshot;
}

/** A terminating pod still has what it asked for; one that has ended doesn't. */
const takesRoom = (pod: Pod) => !isPodFinished(pod);

/** As Kubernetes' default for a kubelet. */
const defaultMaxPods = '110';

function emptyNode(node: Node): NodeState {
  const { cpu = '0', memory = '0', pods = defaultMaxPods } = node.status.allocatable ?? {};
  return {
    node,
    allocatable: { cpuMilli: milliOf(cpu), memoryBytes: wholeOf(memory), pods: wholeOf(pods) },
    requested: { cpuMilli: 0, memoryBytes: 0, pods: 0 },
    pods: [],
    lowest: Number.POSITIVE_INFINITY,
    podsOfOwner: new Map(),
    hostPorts: [],
  };
}

export function withPod(state: NodeState, pod: Pod): NodeState {
  const { requests, hostPorts } = demandOf(pod);
  return {
    ...state,
    requested: addResources(state.requested, requests),
    pods: [...state.pods, pod],
    lowest: Math.min(state.lowest, priorityOf(pod)),
    hostPorts: [...state.hostPorts, ...hostPorts],
    podsOfOwner: countOwner(state.podsOfOwner, pod),
  };
}

/** Pods from before there were priorities have none. */
export const priorityOf = ({ spec }: Pod): number => spec.priority ?? 0;

function countOwner(counts: NodeState['podsOfOwner'], pod: Pod): NodeState['podsOfOwner'] {
  const owner = ownerUid(pod);
  if (owner === undefined || pod.metadata.deletionTimestamp !== undefined) return counts;
  return new Map(counts).set(owner, (counts.get(owner) ?? 0) + 1);
}

/** Taints that keep the pod away, or would rather. */
export const untolerated = ({ spec }: Pod, node: Node) =>
  (node.spec.taints ?? []).filter(
    (taint) => !spec.tolerations?.some((toleration) => tolerates(toleration, taint)),
  );

export const ownerUid = ({ metadata }: Pod): string | undefined =>
  metadata.ownerReferences?.find(({ controller }) => controller)?.uid;

export const addResources = (a: Resources, b: Resources): Resources => ({
  cpuMilli: a.cpuMilli + b.cpuMilli,
  memoryBytes: a.memoryBytes + b.memoryBytes,
  pods: a.pods + b.pods,
});
