import type { Hello } from '../../api/generated/agent.ts';
import type { Base } from '../../base/base.ts';
import type { Ledger } from '../ledger/assignment.ts';
import type { NodeIdentity } from './node-identity.ts';
import type { SessionHandlers } from './session-handlers.ts';
import type { StatusSource } from './status-source.ts';

export interface SessionOptions extends Base {
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
}

export type NodeFacts = Omit<Hello, 'nodeName' | 'known'>;
