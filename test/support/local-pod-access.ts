import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { ExecStream, PodAccess, PodExecRequest } from '../../controller/pod-access.ts';

/** A PodAccess whose containers are this machine: exec runs a process here, logs count lines. */
export interface LocalPodAccess extends PodAccess {
  /** What terminals were resized to. */
  readonly sizes: readonly string[];
}

export function localPodAccess(): LocalPodAccess {
  const sizes: string[] = [];
  return {
    sizes,
    logs: async (_, { tailLines = 3 }) => lines(tailLines),
    exec: async (_, request, signal) => run(request, sizes, signal),
  };
}

async function* lines(count: number): AsyncIterable<Uint8Array> {
  for (let line = 1; line <= count; line++) yield Buffer.from(`line ${line}\n`);
}

function run(request: PodExecRequest, sizes: string[], signal: AbortSignal): ExecStream {
  const [program = '', ...args] = request.command;
  const child: ChildProcessWithoutNullStreams = spawn(program, args);
  child.stdin.on('error', () => {});
  const exited = new Promise<{ exitCode: number }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ exitCode: code ?? 137 }));
  });
  exited.catch(() => {});
  const close = () => void child.kill('SIGKILL');
  signal.addEventListener('abort', close);
  if (!request.stdin) child.stdin.end();
  return {
    write: (chunk) => child.stdin.write(chunk),
    onDrain: (listener) => void child.stdin.on('drain', listener),
    endInput: () => void child.stdin.end(),
    resize: (columns, rows) => void sizes.push(`${columns}x${rows}`),
    onOutput(listener) {
      child.stdout.on('data', (chunk: Buffer) => listener('stdout', chunk));
      child.stderr.on('data', (chunk: Buffer) => listener('stderr', chunk));
    },
    pause() {
      child.stdout.pause();
      child.stderr.pause();
    },
    resume() {
      child.stdout.resume();
      child.stderr.resume();
    },
    exited,
    close,
  };
}
