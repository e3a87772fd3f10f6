import { conditionOf } from './condition.ts';
import type { Container } from './container.ts';
import type { Taint } from './node.ts';
import type { Pod } from './pod.ts';
import type { PodSpec, Toleration } from './pod-spec.ts';
import type { PodStatus } from './pod-status.ts';
import { compareQuantities, milliOf, quantityOf, wholeOf } from './quantity.ts';

/** What several parts of orc read off a pod. */

/** Its condition Ready is True: Services may send traffic, unless it is being deleted. */
export const isPodReady = (pod: StatusOf): boolean => conditionOf(pod, 'Ready')?.status === 'True';

/** Every container has ended for good. */
export const isPodFinished = ({ status }: StatusOf): boolean =>
  status.phase === 'Succeeded' || status.phase === 'Failed';

/** As its spec lists them, under the names that events use. */
export const containerGroups = ['containers', 'initContainers', 'ephemeralContainers'] as const;

/** All of a pod's, whatever group they are in. */
export const everyContainer = (spec: PodSpec): readonly Container[] =>
  containerGroups.flatMap((group): readonly Container[] => spec[group] ?? []);

/** Counts for its owner: neither finished nor on its way out. */
export const isPodActive = (pod: Pod): boolean =>
  !isPodFinished(pod) && pod.metadata.deletionTimestamp === undefined;

export interface PodRequests {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
}

/** What the scheduler reserves: the containers together, or the greediest init container if that is more. */
export function podRequests({ containers, initContainers = [] }: PodSpec): PodRequests {
  const together = containers.map(containerRequests);
  const before = initContainers.map(containerRequests);
  const need = (part: keyof PodRequests) =>
    Math.max(sum(together.map((one) => one[part])), ...before.map((one) => one[part]));
  return { cpuMilli: need('cpuMilli'), memoryBytes: need('memoryBytes') };
}

/** A pod's claim on its node. */
export interface HostPort {
  readonly protocol: 'TCP' | 'UDP';
  /** undefined: on all of the node's addresses. */
  readonly hostIp: string | undefined;
  readonly hostPort: number;
  readonly containerPort: number;
}

export function hostPorts({ containers, initContainers = [] }: PodSpec): readonly HostPort[] {
  return [...initContainers, ...containers]
    .flatMap(({ ports = [] }) => ports)
    .flatMap(({ protocol, hostPort, hostIP, containerPort }) => {
      const hostIp = hostIP === '0.0.0.0' || hostIP === '' ? undefined : hostIP;
      return hostPort ? [{ protocol, hostIp, hostPort, containerPort }] : [];
    });
}

/** Who suffers first when memory runs out. From cpu and memory of every container. */
export function qosClass(spec: PodSpec): NonNullable<PodStatus['qosClass']> {
  const containers = [...spec.containers, ...(spec.initContainers ?? [])];
  if (containers.every(isGuaranteed)) return 'Guaranteed';
  return containers.some(asksForSomething) ? 'Burstable' : 'BestEffort';
}

/** Whether a pod with this toleration puts up with the taint, at least for a while. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  const { key = '', operator = 'Equal', value = '', effect } = toleration;
  if (effect && effect !== taint.effect) return false;
  if (key === '') return operator === 'Exists';
  if (key !== taint.key) return false;
  return operator === 'Exists' || value === (taint.value ?? '');
}

type StatusOf = Pick<Pod, 'status'>;
const RESOURCES = ['cpu', 'memory'] as const;

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

function containerRequests({ resources: { limits, requests } }: Container): PodRequests {
  const request = { ...limits, ...requests };
  return { cpuMilli: milliOf(request.cpu ?? 0), memoryBytes: wholeOf(request.memory ?? 0) };
}

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
