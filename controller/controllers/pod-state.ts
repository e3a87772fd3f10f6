import type { Pod } from '../../api/pod.ts';

/** Counts towards a ReplicaSet's replicas: neither ended nor on its way out. */
export const isActive = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined &&
  status.phase !== 'Succeeded' &&
  status.phase !== 'Failed';

export const isReady = (pod: Pod): boolean => readyCondition(pod)?.status === 'True';

/** When it became ready, milliseconds since 1970; undefined: it isn't. */
export function readySince(pod: Pod): number | undefined {
  const condition = readyCondition(pod);
  return condition?.status === 'True' ? Date.parse(condition.lastTransitionTime ?? '') : undefined;
}

/** When it has been ready for long enough; undefined: not ready. */
export function availableAt(pod: Pod, minReadySeconds: number): number | undefined {
  const since = readySince(pod);
  if (since === undefined) return undefined;
  return Number.isNaN(since) ? 0 : since + minReadySeconds * 1000;
}

const readyCondition = ({ status }: Pod) =>
  status.conditions?.find((condition) => condition.type === 'Ready');
