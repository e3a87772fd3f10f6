import type {
  AttachRequest,
  ExecRequest,
  LogsRequest,
  PortForwardRequest,
} from '../../api/generated/agent.ts';
import { ReasonError } from '../../base/reason-error.ts';
import type { ExecSession } from '../kernel/shim.ts';

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

export type ExecTarget = Readonly<ExecRequest>;
export type AttachTarget = Readonly<Pick<AttachRequest, 'podUid' | 'container' | 'stdin'>>;
export type PortTarget = Readonly<PortForwardRequest>;
export type LogsTarget = Readonly<LogsRequest>;

/** Closed table, in words of api/status.ts: the user sees reason and message. */
export type SessionErrorReason = 'NotFound' | 'BadRequest' | 'InternalError';

export class SessionError extends ReasonError<SessionErrorReason> {
  override readonly name = 'SessionError';
}
