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
  const stateOf = (node: Node) =>
    podsOn(node.metadata.name).filter(takesRoom).reduce(withPod, emptyNode(node));
  return new Map(nodes.map((node) => [node.metadata.name, stateOf(node)]));
}

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
    podsOfOwner: new Map(),
    hostPorts: [],
  };
}

function withPod(state: NodeState, pod: Pod): NodeState {
  const { requests, hostPorts } = demandOf(pod);
  return {
    ...state,
    requested: addResources(state.requested, requests),
    hostPorts: [...state.hostPorts, ...hostPorts],
    podsOfOwner: countOwner(state.podsOfOwner, pod),
  };
}

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
