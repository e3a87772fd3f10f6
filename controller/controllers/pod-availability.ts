import type { Pod } from '../../api/pod.ts';
import { podCondition } from '../../api/pod-facts.ts';

/** When it became ready, milliseconds since 1970; undefined: it isn't. */
export function readySince(pod: Pod): number | undefined {
  const ready = podCondition(pod, 'Ready');
  if (ready?.status !== 'True') return undefined;
  return ready.lastTransitionTime === undefined ? 0 : Date.parse(ready.lastTransitionTime);
}

/** When it has been, or will have been, ready for long enough; undefined: not ready. */
export function availableAt(pod: Pod, minReadySeconds: number): number | undefined {
  const since = readySince(pod);
  return since === undefined ? undefined : since + minReadySeconds * 1000;
}
