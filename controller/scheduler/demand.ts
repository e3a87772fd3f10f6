import type { Pod } from '../../api/pod.ts';
import { type HostPort, hostPorts, podRequests } from '../../api/pod-facts.ts';

/** CPU in millicores, memory in bytes, pods. */
export interface Resources {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly pods: number;
}

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
