import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { PodAssignment } from '../ledger/assignment.ts';
import type { NetworkTable, NodePorts } from '../ports.ts';
import type { PodEvents } from './pod-events.ts';
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
