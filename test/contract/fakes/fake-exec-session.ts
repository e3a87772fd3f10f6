import type { ExecSession } from '../../../agent/kernel/shim.ts';

/** What a faked process prints and how it ends. */
export interface FakeExec {
  readonly stdout?: string;
  readonly stderr?: string;
  /** undefined: runs until it is signalled or its session is closed. */
  readonly exitCode: number | undefined;
}

export function fakeExecSession(plan: FakeExec): ExecSession {
  const exit = Promise.withResolvers<{ exitCode: number; signal: number | undefined }>();
  const output: ['stdout' | 'stderr', Buffer][] = [];
  const listeners: ((stream: 'stdout' | 'stderr', chunk: Buffer) => void)[] = [];
  let paused = false;
  const flush = () => {
    if (paused || listeners.length === 0) return;
    for (const [stream, chunk] of output.splice(0))
      for (const listener of listeners) listener(stream, chunk);
    if (plan.exitCode !== undefined) exit.resolve({ exitCode: plan.exitCode, signal: undefined });
  };
  const killed = (signal: number) => exit.resolve({ exitCode: 128 + signal, signal });
  if (plan.stdout) output.push(['stdout', Buffer.from(plan.stdout)]);
  if (plan.stderr) output.push(['stderr', Buffer.from(plan.stderr)]);
  return {
    write: () => true,
    endInput() {},
    onDrain() {},
    resize() {},
    onOutput(listener) {
      listeners.push(listener);
      queueMicrotask(flush);
    },
    pause: () => void (paused = true),
    resume() {
      paused = false;
      flush();
    },
    exited: exit.promise,
    close: () => killed(9),
  };
}
