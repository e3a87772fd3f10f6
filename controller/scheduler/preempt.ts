import type { Pod } from '../../api/pod.ts';
import { refusal } from './schedule.ts';
import * as snapshots from './snapshot.ts';
import { type Demand, type NodeState, priorityOf, type Snapshot } from './snapshot.ts';

/** A node that can take the pod once these have ended. */
export interface Preemption {
  readonly node: string;
  readonly victims: readonly Pod[];
}

/**
 * Where room can be made for a pod that finds none: there where the least important pods end, and no more of them than must.
 * If room is being made for it already, there, without further victims. Pure.
 */
export function planPreemption(
  pod: Pod,
  snapshot: Snapshot,
  runtimeHandler?: string,
): Preemption | undefined {
  if (pod.spec.preemptionPolicy === 'Never') return undefined;
  const { nominatedNodeName: nominated = '' } = pod.status;
  const isEnding = (other: Pod) =>
    other.metadata.deletionTimestamp !== undefined && priorityOf(other) < priorityOf(pod);
  if (snapshot.get(nominated)?.pods.some(isEnding)) return { node: nominated, victims: [] };
  const demand = snapshots.demandOf(pod, runtimeHandler);
  const possible = [...snapshot].flatMap(([node, state]) => {
    const victims = victimsOn(demand, state);
    return victims ? [{ node, victims }] : [];
  });
  return possible.toSorted(byDamage)[0];
}

/** undefined: it can't be placed here even if all that is less important went. */
function victimsOn(demand: Demand, { node, pods, lowest }: NodeState): readonly Pod[] | undefined {
  const priority = priorityOf(demand.pod);
  if (lowest >= priority) return undefined;
  const isLess = (pod: Pod) => priorityOf(pod) < priority;
  const kept = pods.filter((pod) => !isLess(pod));
  let state = snapshots.stateOf(node, kept);
  if (refusal(demand, state).length > 0) return undefined;
  const victims: Pod[] = [];
  // The most important first: whoever fits beside the pod stays.
  for (const pod of pods.filter(isLess).toSorted(byImportance)) {
    const withIt = snapshots.withPod(state, pod);
    if (refusal(demand, withIt).length > 0) victims.push(pod);
    else state = withIt;
  }
  return victims;
}

/** Of equal ones the older. */
const byImportance = (a: Pod, b: Pod) =>
  priorityOf(b) - priorityOf(a) ||
  Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp);

/** As in Kubernetes: the most important victim decides, then all together, then how many they are. */
function byDamage({ victims: a }: Preemption, { victims: b }: Preemption): number {
  const highest = (pods: readonly Pod[]) => Math.max(...pods.map(priorityOf));
  const sum = (pods: readonly Pod[]) => pods.reduce((total, pod) => total + priorityOf(pod), 0);
  return highest(a) - highest(b) || sum(a) - sum(b) || a.length - b.length;
}
