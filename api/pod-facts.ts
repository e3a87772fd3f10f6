import type { Container } from './container.ts';
import type { Pod } from './pod.ts';
import type { PodSpec } from './pod-spec.ts';
import type { PodCondition, PodStatus } from './pod-status.ts';
import { compareQuantities, quantityOf } from './quantity.ts';

/** What several parts of orc read off a pod. */

export const podCondition = (pod: StatusOf, type: string): PodCondition | undefined =>
  pod.status.conditions?.find((condition) => condition.type === type);

/** Every container has ended for good. */
export const isPodFinished = ({ status }: StatusOf): boolean =>
  status.phase === 'Succeeded' || status.phase === 'Failed';

/** Who suffers first when memory runs out. From cpu and memory of every container. */
export function qosClass(spec: PodSpec): NonNullable<PodStatus['qosClass']> {
  const containers = [...spec.containers, ...(spec.initContainers ?? [])];
  if (containers.every(isGuaranteed)) return 'Guaranteed';
  return containers.some(asksForSomething) ? 'Burstable' : 'BestEffort';
}

type StatusOf = Pick<Pod, 'status'>;
const RESOURCES = ['cpu', 'memory'] as const;

function isGuaranteed({ resources: { limits = {}, requests = {} } }: Container): boolean {
  return RESOURCES.every((resource) => {
    const limit = limits[resource];
    if (limit === undefined || quantityOf(limit).nano === 0n) return false;
    return compareQuantities(requests[resource] ?? limit, limit) === 0;
  });
}

function asksForSomething({ resources: { limits = {}, requests = {} } }: Container): boolean {
  return RESOURCES.some((resource) =>
    [limits[resource], requests[resource]].some(
      (quantity) => quantity !== undefined && quantityOf(quantity).nano > 0n,
    ),
  );
}
