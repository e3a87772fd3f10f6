import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
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
  const child = spawn(program, args);
  child.stdin.on('error', () => {});
  // Node lets a process's output flow away when it exits, paused or not: so it is kept beside.
  const stdout = child.stdout.pipe(new PassThrough());
  const stderr = child.stderr.pipe(new PassThrough());
  const exited = exitOf(child, [stdout, stderr]);
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
      stdout.on('data', (chunk: Buffer) => listener('stdout', chunk));
      stderr.on('data', (chunk: Buffer) => listener('stderr', chunk));
    },
    pause() {
      stdout.pause();
      stderr.pause();
    },
    resume() {
      stdout.resume();
      stderr.resume();
    },
    exited,
    close,
  };
}

/** After the last output. */
async function exitOf(child: ChildProcessWithoutNullStreams, outputs: readonly PassThrough[]) {
  const ended = Promise.all(outputs.map((output) => once(output, 'end')));
  const [code] = await once(child, 'exit');
  await ended;
  return { exitCode: typeof code === 'number' ? code : 137 };
}
