import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { PodAssignment } from '../ledger/assignment.ts';
import type { NetworkTable, NodePorts } from '../ports.ts';
import type { PodMemories } from './pod-memory.ts';
import type { PodObservation } from './pod-observation.ts';
import type { PodRecord } from './pod-record.ts';

/** What every pod of this node shares. */
export interface PodContext {
  readonly ports: NodePorts;
  readonly memories: PodMemories;
  readonly events: PodEvents;
  readonly clock: Clock;
  readonly log: Log;
  readonly nodeName: string;
  /** This node's address. */
  readonly hostIp: string;
  readonly logDir: string;
  /** The node's own /etc/resolv.conf. */
  readonly nodeResolvConf: string;
  readonly network: () => NetworkTable | undefined;
  readonly wake: (uid: string) => void;
}

/** One pod, for the steps of one pass. */
export interface PodPass extends PodContext {
  readonly record: PodRecord;
  readonly assignment: PodAssignment | undefined;
  readonly observed: PodObservation;
  readonly signal: AbortSignal;
}

/** Where pods/ tells what happens; session/ carries it to the controller, which makes Events of it. */
interface PodEvents {
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
export function tell(pass: PodPass, { container, ...what }: Happened): void {
  const { events, assignment } = pass;
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
