import type { V1ContainerStatus, V1Pod } from '@kubernetes/client-node';

export function isReady({ status, metadata }: V1Pod): boolean {
  if (metadata?.deletionTimestamp) return false;
  return status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
}

/** The pods of an app, those that are being deleted left out. */
export const podsOf = (app: string, pods: readonly V1Pod[]): readonly V1Pod[] =>
  pods.filter(({ metadata }) => metadata?.labels?.app === app && !metadata.deletionTimestamp);

/** The pods of an app if there are so many, all ready. */
export function readyPods(app: string, count: number) {
  return (pods: readonly V1Pod[]): readonly V1Pod[] | undefined => {
    const found = podsOf(app, pods);
    return found.length === count && found.every(isReady) ? found : undefined;
  };
}

/** The pod of that name if it is ready. */
export const readyPod =
  (name: string) =>
  (pods: readonly V1Pod[]): V1Pod | undefined =>
    pods.find((pod) => pod.metadata?.name === name && isReady(pod));

/** The pod of that name if it is in the phase. */
export const podIn =
  (name: string, phase: string) =>
  (pods: readonly V1Pod[]): V1Pod | undefined =>
    pods.find(({ metadata, status }) => metadata?.name === name && status?.phase === phase);

/** A container's status, of the first container unless it is named. */
export function containerStatus(
  pod: V1Pod | undefined,
  name?: string,
): V1ContainerStatus | undefined {
  const { containerStatuses = [], initContainerStatuses = [] } = pod?.status ?? {};
  if (name === undefined) return containerStatuses[0];
  return [...initContainerStatuses, ...containerStatuses].find((status) => status.name === name);
}

export const nameOf = ({ metadata }: V1Pod): string => metadata?.name ?? '';
