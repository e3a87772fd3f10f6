import type { PodAction } from './pod-action.ts';
import type { PodContext, PodPass } from './pod-context.ts';
import { tell } from './pod-events.ts';
import { freshMemory } from './pod-observation.ts';
import { remember } from './pod-record.ts';

/** Kubernetes' BackOff event, once for each restart that has to wait. */
export function tellBackOff(
  { restart }: Extract<PodAction, { kind: 'wait' }>,
  { record, assignment }: PodPass,
  { events }: PodContext,
): void {
  if (!restart || !assignment) return;
  const { container, attempt } = restart;
  const { toldBackOff } = record.memory.get(container) ?? freshMemory;
  if (toldBackOff === attempt) return;
  remember(record, container, { toldBackOff: attempt });
  const { name, namespace, uid } = assignment.pod.metadata;
  const message = `Back-off restarting failed container ${container} in pod ${name}_${namespace}(${uid})`;
  tell(events, assignment.pod, { type: 'Warning', reason: 'BackOff', message, container });
}
