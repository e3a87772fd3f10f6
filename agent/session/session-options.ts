import type { Hello } from '../../api/generated/agent.ts';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Rng } from '../../base/rng.ts';
import type { Ledger } from '../ledger/assignment.ts';
import type { NodeIdentity } from './node-identity.ts';
import type { SessionHandlers } from './session-handlers.ts';
import type { StatusSource } from './status-source.ts';

export interface SessionOptions {
  /** "host:6444", at least one; all are dialled. */
  readonly controllers: readonly string[];
  readonly nodeName: string;
  /** Of joinCluster, or as it was saved. */
  readonly identity: NodeIdentity;
  /** Called with each renewed identity, before it is used: to save it. */
  readonly onRenewed: (identity: NodeIdentity) => Promise<void>;
  /** Asked at each connection: a machine's facts change with a reboot or an upgrade. */
  readonly describeNode: () => NodeFacts;
  readonly ledger: Ledger;
  readonly statuses: StatusSource;
  readonly handlers: SessionHandlers;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Log;
}

export type NodeFacts = Omit<Hello, 'nodeName' | 'known'>;
