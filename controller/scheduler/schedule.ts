import type { Pod } from '../../api/pod.ts';
import { filters } from './filters.ts';
import { score } from './scores.ts';
import { type Demand, demandOf, type NodeState, type Snapshot } from './snapshot.ts';

export type Decision =
  | { readonly node: string }
  /** By the name of the node, in Kubernetes' words. */
  | { readonly unschedulable: ReadonlyMap<string, readonly string[]> };

/** The best node for the pod, or why there is none. Pure: the same question has the same answer. */
export function schedule(pod: Pod, snapshot: Snapshot, runtimeHandler?: string): Decision {
  const demand = demandOf(pod, runtimeHandler);
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
