import type { Pod } from '../../api/pod.ts';

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

/** Something that happened to a pod, or to one container of it. */
export function tell(events: PodEvents, { metadata, spec }: Pod, happened: Happened): void {
  const { container, ...what } = happened;
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
