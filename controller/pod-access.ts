import type { ExecStream } from '../api/exec-stream.ts';

/**
 * What the API server needs of a pod's node: logs and exec. The dispatcher implements it over the agent's bulk link;
 * neither imports the other, so the port lives beside both.
 *
 * Errors are StatusErrors (api/status.ts), as the client will see them:
 * - ServiceUnavailable: the node has no connection to the controller; Timeout: it has, but doesn't answer;
 * - NotFound: the node knows no such container, or nothing of its previous instance is left;
 * - BadRequest: the container is there, but not in a state that allows it ("container "web" in pod "x" is waiting to start: …");
 * - InternalError: the node failed (cause chained); for exec also: the command could not be started.
 */
export interface PodAccess {
  /**
   * Resolves when the node has the log open; then yields chunks of the log as text, cut anywhere. Ends at the end of
   * the log, with `follow` when the container has ended. Reading slowly slows the node down. Abort: the node lets go
   * and the iterable ends.
   */
  logs(pod: PodTarget, options: PodLogOptions, signal: AbortSignal): Promise<LogChunks>;
  /**
   * Resolves when the node has taken the session; `exited` says whether the command could be started. Abort ends
   * only the opening; a session that is open is closed with `close`.
   */
  exec(pod: PodTarget, request: PodExecRequest, signal: AbortSignal): Promise<ExecStream>;
  /** To the container's first process; as exec. `exited` is the end of that process; `close` only lets go of it. */
  attach(pod: PodTarget, request: PodAttachRequest, signal: AbortSignal): Promise<ExecStream>;
  /**
   * One TCP connection to 127.0.0.1:port in the pod's network namespace, `write` to it and its bytes as `stdout`.
   * `exited` is its end: 0; a refused connection is a StatusError (BadRequest).
   */
  portForward(pod: PodTarget, port: number, signal: AbortSignal): Promise<ExecStream>;
  /** What the node says of itself: "metrics" (Prometheus text), "healthz". */
  nodeText(nodeName: string, what: 'metrics' | 'healthz', signal: AbortSignal): Promise<string>;
}

type LogChunks = AsyncIterable<Uint8Array>;

export interface PodTarget {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly nodeName: string;
}

export interface PodLogOptions {
  readonly container: string;
  readonly follow: boolean;
  /** The instance before the running one. */
  readonly previous: boolean;
  /** Each line begins with its RFC 3339 time. */
  readonly timestamps: boolean;
  /** Only this many lines from the end; undefined: all. */
  readonly tailLines?: number | undefined;
  /** Only what was written since; milliseconds since 1970. */
  readonly sinceMs: number | undefined;
  readonly limitBytes?: number | undefined;
}

export interface PodExecRequest extends PodAttachRequest {
  /** At least one word. */
  readonly command: readonly string[];
  readonly tty: boolean;
  /** Of the terminal at its start, where it is known by then. */
  readonly size?: { readonly columns: number; readonly rows: number } | undefined;
}

interface PodAttachRequest {
  readonly container: string;
  readonly stdin: boolean;
  readonly stdout: boolean;
  /** Never with `tty`: a terminal has one output. */
  readonly stderr: boolean;
}
