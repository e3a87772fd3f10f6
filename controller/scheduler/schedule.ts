import type { Pod } from '../../api/pod.ts';
import { filters } from './filters.ts';
import type { Demand, NodeState, Snapshot } from './snapshot.ts';
import * as snapshots from './snapshot.ts';

export type Decision =
  | { readonly node: string }
  /** By the name of the node, in Kubernetes' words. */
  | { readonly unschedulable: ReadonlyMap<string, readonly string[]> };

/** The best node for the pod, or why there is none. Pure: the same question has the same answer. */
export function schedule(pod: Pod, snapshot: Snapshot, runtimeHandler?: string): Decision {
  const demand = snapshots.demandOf(pod, runtimeHandler);
  const refusals = new Map<string, readonly string[]>();
  let best: { readonly state: NodeState; readonly score: number } | undefined;
  for (const [name, state] of snapshot) {
    const reasons = refusal(demand, state);
    if (reasons.length > 0) {
      refusals.set(name, reasons);
      continue;
    }
    const candidate = { state, score: score(demand, state) };
    if (!best || candidate.score > best.score) best = candidate;
  }
  return best ? { node: best.state.node.metadata.name } : { unschedulable: refusals };
}

/** Empty: the node can take the pod. */
export function refusal(demand: Demand, state: NodeState): readonly string[] {
  const answers = filters.values().map((filter) => filter(demand, state));
  return answers.find((reasons) => reasons.length > 0) ?? [];
}

/** "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {…}." */
export function explainRefusals(refusals: ReadonlyMap<string, readonly string[]>): string {
  if (refusals.size === 0) return 'no nodes available to schedule pods';
  const reasons = Map.groupBy([...refusals.values()].flat(), (reason) => reason);
  const counted = [...reasons].map(([reason, { length }]) => `${length} ${reason}`).sort();
  return `0/${refusals.size} nodes are available: ${counted.join(', ')}.`;
}

/** How good this node is for the pod: the more, the better. Pure. */
const score = (demand: Demand, state: NodeState): number =>
  2 * spread(demand, state) + leastAllocated(demand, state) - avoided(demand, state);

/** Each pod of the same owner that is there already halves it: replicas land on different hosts. 0 to 100. */
const spread = ({ pod }: Demand, { podsOfOwner }: NodeState): number =>
  100 / (1 + (podsOfOwner.get(snapshots.ownerUid(pod) ?? '') ?? 0));

/** What a pod that asks for nothing is taken to use, as in Kubernetes: or all of them would go to one node. */
const assumed = { cpuMilli: 100, memoryBytes: 200 * 1024 * 1024 };

/** The mean share of CPU and memory that stays free. 0 to 100. */
function leastAllocated({ requests }: Demand, { allocatable, requested }: NodeState): number {
  const free = (resource: 'cpuMilli' | 'memoryBytes') => {
    const idle = assumed[resource] * requested.pods;
    const used = Math.max(requested[resource], idle) + (requests[resource] || assumed[resource]);
    return Math.max(0, 1 - used / Math.max(1, allocatable[resource]));
  };
  return 50 * (free('cpuMilli') + free('memoryBytes'));
}

const avoided = ({ pod }: Demand, { node }: NodeState): number =>
  100 *
  snapshots.untolerated(pod, node).filter(({ effect }) => effect === 'PreferNoSchedule').length;
