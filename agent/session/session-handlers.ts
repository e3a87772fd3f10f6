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

export interface ExecTarget {
  readonly podUid: string;
  readonly container: string;
  readonly command: readonly string[];
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
  /** Of the terminal, where it is known by now. */
  readonly size?: { readonly columns: number; readonly rows: number } | undefined;
}

export interface AttachTarget {
  readonly podUid: string;
  readonly container: string;
  readonly stdin: boolean;
}

export interface PortTarget {
  readonly podUid: string;
  readonly port: number;
}

export interface LogsTarget {
  readonly podUid: string;
  readonly container: string;
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  /** Only so many lines from the end. */
  readonly tailLines?: number | undefined;
  /** Only what was written since; milliseconds since 1970. */
  readonly sinceMs?: number | undefined;
  readonly limitBytes?: number | undefined;
}

/** Closed table, in words of api/status.ts: the user sees reason and message. */
export type SessionErrorReason = 'NotFound' | 'BadRequest' | 'InternalError';

export class SessionError extends Error {
  override readonly name = 'SessionError';
  readonly reason: SessionErrorReason;
  constructor(reason: SessionErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
