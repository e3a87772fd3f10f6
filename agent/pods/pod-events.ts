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

export function podEvent({ metadata, spec }: Pod, happened: Happened): PodEvent {
  const { container, ...what } = happened;
  const group = spec.initContainers?.some((c) => c.name === container)
    ? 'initContainers'
    : 'containers';
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid,
    fieldPath: container === undefined ? undefined : `spec.${group}{${container}}`,
    ...what,
  };
}
