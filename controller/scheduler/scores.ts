import { type Demand, type NodeState, ownerUid, untolerated } from './snapshot.ts';

/** How good this node is for the pod: the more, the better. Pure. */
export const score = (demand: Demand, state: NodeState): number =>
  2 * spread(demand, state) + leastAllocated(demand, state) - avoided(demand, state);

/** Each pod of the same owner that is there already halves it: replicas land on different hosts. 0 to 100. */
const spread = ({ pod }: Demand, { podsOfOwner }: NodeState): number =>
  100 / (1 + (podsOfOwner.get(ownerUid(pod) ?? '') ?? 0));

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
  100 * untolerated(pod, node).filter(({ effect }) => effect === 'PreferNoSchedule').length;
