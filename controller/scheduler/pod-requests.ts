import type { Container } from '../../api/container.ts';
import type { Pod } from '../../api/pod.ts';
import { milliOf, wholeOf } from '../../api/quantity.ts';

/** CPU in millicores, memory in bytes, pods. */
export interface Resources {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly pods: number;
}

/** A pod with what it asks for: worked out once, asked of every node. */
export interface Demand {
  readonly pod: Pod;
  readonly requests: Resources;
}

export const demandOf = (pod: Pod): Demand => ({ pod, requests: podRequests(pod) });

/** What a pod takes from a node: its containers together, or the hungriest init container, if that is more. */
export function podRequests({ spec }: Pod): Resources {
  const main = spec.containers.map(containerRequests);
  const init = (spec.initContainers ?? []).map(containerRequests);
  const need = (of: (requests: Requests) => number) =>
    Math.max(
      main.reduce((sum, requests) => sum + of(requests), 0),
      ...init.map(of),
    );
  return {
    cpuMilli: need(({ cpuMilli }) => cpuMilli),
    memoryBytes: need(({ memoryBytes }) => memoryBytes),
    pods: 1,
  };
}

type Requests = Omit<Resources, 'pods'>;

function containerRequests({ resources }: Container): Requests {
  const { cpu, memory } = { ...resources.limits, ...resources.requests };
  return {
    cpuMilli: cpu === undefined ? 0 : milliOf(cpu),
    memoryBytes: memory === undefined ? 0 : wholeOf(memory),
  };
}
