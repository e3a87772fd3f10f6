import type { ExecSession } from '../../agent/kernel/shim.ts';

/** An exec session that the test drives: prints when told to, and remembers what it was told. */
export interface ScriptedExec {
  readonly session: ExecSession;
  readonly input: Buffer[];
  readonly sizes: (readonly [columns: number, rows: number])[];
  inputEnded(): boolean;
  isPaused(): boolean;
  isClosed(): boolean;
  print(stream: 'stdout' | 'stderr', chunk: Buffer): void;
  /** The process takes no more input until {@link drain}. */
  block(): void;
  drain(): void;
  exit(exitCode: number): void;
  fail(error: Error): void;
}

export function scriptedExec(): ScriptedExec {
  const exit = Promise.withResolvers<{ exitCode: number; signal: number | undefined }>();
  exit.promise.catch(() => undefined);
  const input: Buffer[] = [];
  const sizes: (readonly [number, number])[] = [];
  let output: (stream: 'stdout' | 'stderr', chunk: Buffer) => void = () => {};
  let drained = () => {};
  let [ended, paused, closed, blocked] = [false, false, false, false];
  return {
    input,
    sizes,
    inputEnded: () => ended,
    isPaused: () => paused,
    isClosed: () => closed,
    print: (stream, chunk) => output(stream, chunk),
    block: () => void (blocked = true),
    drain() {
      blocked = false;
      drained();
    },
    exit: (exitCode) => exit.resolve({ exitCode, signal: undefined }),
    fail: (error) => exit.reject(error),
    session: {
      write(chunk) {
        input.push(Buffer.from(chunk));
        return !blocked;
      },
      onDrain: (listener) => void (drained = listener),
      endInput: () => void (ended = true),
      resize: (columns, rows) => void sizes.push([columns, rows]),
      onOutput: (listener) => void (output = listener),
      pause: () => void (paused = true),
      resume: () => void (paused = false),
      exited: exit.promise,
      close() {
        closed = true;
        exit.resolve({ exitCode: 137, signal: 9 });
      },
    },
  };
}
