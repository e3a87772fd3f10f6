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
  /** Runs `restore` before the process ends, however it does (SIGKILL apart), or when the result is called. Once. */
  readonly beforeEnd: (restore: () => void) => () => void;
}

type Input = Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown };

export interface Output {
  write(text: string | Uint8Array): boolean;
  on(event: 'resize', listener: () => void): unknown;
  off(event: 'resize', listener: () => void): unknown;
  once(event: 'drain', listener: () => void): unknown;
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
    beforeEnd,
  };
}

/** What goes on until Ctrl-C, `end`, or that much time: at the latest until the block that holds it is left. */
export function openWait({ clock, interruption }: Io, timeoutMs: number) {
  const ended = new AbortController();
  const end = () => ended.abort();
  const signal = AbortSignal.any([ended.signal, interruption()]);
  const cancel = clock.after(timeoutMs, end);
  const dispose = () => {
    cancel();
    end();
  };
  return { signal, end, [Symbol.dispose]: dispose };
}

function onInterrupt(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort(new Error('interrupted')));
  return controller.signal;
}

const endings = ['SIGTERM', 'SIGHUP'] as const;

function beforeEnd(restore: () => void): () => void {
  const undo = () => {
    restore();
    process.off('exit', undo);
    for (const signal of endings) process.off(signal, end);
  };
  const end = (signal: NodeJS.Signals) => {
    undo();
    process.kill(process.pid, signal);
  };
  process.once('exit', undo);
  for (const signal of endings) process.once(signal, end);
  return undo;
}

/** `orc get pods | head -1`: nothing went wrong. */
function endWhenNobodyReads(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`orc: cannot write: ${error.message}\n`);
  process.exit(1);
}
