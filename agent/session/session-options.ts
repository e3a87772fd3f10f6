import type * as wire from '../../api/generated/agent.ts';
import type { Generation } from '../../api/generation.ts';
import type { PodStatus } from '../../api/pod-status.ts';
import type { Base } from '../../base/base.ts';
import { ReasonError } from '../../base/reason-error.ts';
import type { ExecSession } from '../kernel/shim.ts';
import type { Ledger } from '../ledger/assignment.ts';
import type { NodeIdentity } from './node-identity.ts';

/** What main gives to the session, and in whose words. */
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

export type NodeFacts = Omit<wire.Hello, 'nodeName' | 'known'>;

/** What pods/ gives to session/: the newest status of every pod that this node knows of. */
export interface StatusSource {
  /**
   * By uid. An entry stays until the ledger no longer has the pod. None is there for a pod that the controller knows to
   * have Succeeded or Failed, unless this agent saw it end or the pod is deleted.
   */
  statuses(): ReadonlyMap<string, ReportedStatus>;
  /** Called with the uid after its entry was replaced or went. Returns unsubscribe. */
  onChange(listener: (uid: string) => void): () => void;
}

export interface ReportedStatus {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Of the assignment that this status is about. */
  readonly generation: Generation;
  readonly status: PodStatus;
  /** Everything of the pod is gone from the node: its object may be removed. */
  readonly terminated: boolean;
}

/** What the controller may ask of this node and its pods; main gives the session its answers. All throw SessionError. */
export interface SessionHandlers extends PodSessions {
  /** Text about the node itself: "metrics" (Prometheus), "healthz". */
  query(what: string): Promise<string>;
}

export interface PodSessions {
  /** Resolves when there is such a container and the command is being started. */
  exec(request: ExecTarget): Promise<ExecSession>;
  /** To the container's first process: its output from now on, its end. Closing it lets go, no more. */
  attach(request: AttachTarget): Promise<ExecSession>;
  /** A TCP connection from inside the pod; `exited` rejects with SessionError where nobody listens. */
  portForward(request: PortTarget): Promise<ExecSession>;
  /** Resolves when the log is open. Ends at its end, with `follow` when the container has ended, or on abort. */
  logs(request: LogsTarget, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
}

export type ExecTarget = Readonly<wire.ExecRequest>;
export type AttachTarget = Readonly<Pick<wire.AttachRequest, 'podUid' | 'container' | 'stdin'>>;
export type PortTarget = Readonly<wire.PortForwardRequest>;
export type LogsTarget = Readonly<wire.LogsRequest>;

/** Closed table, in words of api/status.ts: the user sees reason and message. */
export type SessionErrorReason = 'NotFound' | 'BadRequest' | 'InternalError';

export class SessionError extends ReasonError<SessionErrorReason> {
  override readonly name = 'SessionError';
}
