import type { ExecStream } from '../../api/exec-stream.ts';
import type { Op } from './op.ts';
import type { Namespace } from './op-fields.ts';

export interface StartRequest {
  readonly container: string;
  /** Directory of the cgroup v2 group to be cloned into (CLONE_INTO_CGROUP); undefined on v1, where the list attaches. */
  readonly cgroup2Dir: string | undefined;
  /** New ones that the process is born in: mount and pid, if nothing is said. */
  readonly namespaces?: readonly Namespace[];
  readonly logPath: string;
  /** The log is rotated at this size, to `logPath.1` … */
  readonly logMaxBytes: number;
  readonly logMaxFiles: number;
  readonly terminal: boolean;
  /** 80 by 24, if nothing is said. */
  readonly terminalSize?: { readonly columns: number; readonly rows: number };
  /** What its standard input is: /dev/null, open to every client, or open until the first client has gone. */
  readonly stdin: 'none' | 'open' | 'once';
  /** The host's uid that its pipes or its terminal belong to; the host's root, if nothing is said. */
  readonly owner?: number;
  /** Where the descriptor of a filter with SECCOMP_FILTER_FLAG_NEW_LISTENER is sent. */
  readonly listener?: SeccompListener;
  /** Called for each `sync` of the list; when it resolves, the list goes on; when it rejects, that is the start's error. */
  readonly onSync?: (process: { readonly pid: number }) => Promise<void>;
  readonly ops: readonly Op[];
}

interface SeccompListener {
  /** Of a stream socket. */
  readonly path: string;
  /** What is sent with the descriptor; each U+0001 in it stands for the process' pid. */
  readonly message: string;
}

export interface ExecRequest {
  readonly container: string;
  /** As for a start; the list need not attach to this group. */
  readonly cgroup2Dir?: string | undefined;
  readonly owner?: number;
  readonly listener?: SeccompListener | undefined;
  readonly ops: readonly Op[];
  readonly stdin: boolean;
  readonly terminal: { readonly columns: number; readonly rows: number } | undefined;
}

/** Paused, the shim stops reading the process' output. Closing doesn't kill what was attached to. */
export type ExecSession = ExecStream<ProcessExit>;

export interface ProcessExit {
  /** 0…255; 128 + signal when killed. */
  readonly exitCode: number;
  readonly signal: number | undefined;
}

export interface ShimContainer {
  readonly container: string;
  readonly pid: number;
  /** Milliseconds since 1970, by the host's clock. */
  readonly startedAtMs: number;
  readonly exit: (ProcessExit & { readonly finishedAtMs: number }) | undefined;
}
