import type { PodPass } from './pod-context.ts';

/** Where pods/ tells what happens; session/ carries it to the controller, which makes Events of it. */
export interface PodEvents {
  record(event: PodEvent): void;
}

export interface PodEvent {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** "spec.containers{web}", when it is about one container. */
  readonly fieldPath: string | undefined;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

type Happened = Pick<PodEvent, 'type' | 'reason' | 'message'> & { readonly container?: string };

/** Something that happened to a pod, or to one container of it. Of one that was taken away without a word: nothing. */
export function tell(
  { events, assignment }: Pick<PodPass, 'events' | 'assignment'>,
  { container, ...what }: Happened,
): void {
  if (!assignment) return;
  const { metadata, spec } = assignment.pod;
  const group = spec.initContainers?.some((c) => c.name === container)
    ? 'initContainers'
    : 'containers';
  events.record({
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid,
    fieldPath: container === undefined ? undefined : `spec.${group}{${container}}`,
    ...what,
  });
}
