import type { Readable } from 'node:stream';
import { type Clock, systemClock } from '../base/clock.ts';
import { type CliEnvironment, readEnvironment } from './config.ts';

/** The command line's outside world: what a test replaces. */
export interface Io {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly clock: Clock;
  readonly environment: CliEnvironment;
  /** Aborted by Ctrl-C. Until a command asks for it, Ctrl-C ends the process at once; a second one always does. */
  interruption(): AbortSignal;
}

type Input = Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown };

export interface Output {
  write(text: string | Uint8Array): boolean;
  once(event: 'drain', listener: () => void): unknown;
  on(event: 'resize', listener: () => void): unknown;
  off(event: 'resize', listener: () => void): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

export function processIo(): Io {
  const { stdout, stderr } = process;
  stdout.on('error', endWhenNobodyReads);
  stderr.on('error', endWhenNobodyReads);
  let interruption: AbortSignal | undefined;
  return {
    get stdin() {
      return process.stdin;
    },
    stdout,
    stderr,
    clock: systemClock(),
    environment: readEnvironment(),
    interruption: () => (interruption ??= onInterrupt()),
  };
}

function onInterrupt(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort(new Error('interrupted')));
  return controller.signal;
}

/** `orc get pods | head -1`: nothing went wrong. */
function endWhenNobodyReads(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
}
