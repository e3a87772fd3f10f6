import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type { ExecStream, PodAccess, PodExecRequest } from '../../controller/pod-access.ts';
import { noPodAccess } from './api-server.ts';

/** A PodAccess whose containers are this machine: exec runs a process here, logs count lines. */
export interface LocalPodAccess extends PodAccess {
  readonly seen: Seen;
}

/** What the API server did with the execs so far. */
export interface Seen {
  /** Of terminals: "80x24". */
  readonly sizes: string[];
  outputBytes: number;
  /** How often it asked for output to wait, once there was some. */
  pauses: number;
}

export function localPodAccess(): LocalPodAccess {
  const seen: Seen = { sizes: [], outputBytes: 0, pauses: 0 };
  return {
    ...noPodAccess,
    seen,
    logs: async (_, { tailLines = 3 }) => lines(tailLines),
    exec: async (_, request, signal) => run(request, seen, signal),
  };
}

async function* lines(count: number): AsyncIterable<Uint8Array> {
  for (let line = 1; line <= count; line++) yield Buffer.from(`line ${line}\n`);
}

function run(request: PodExecRequest, seen: Seen, signal: AbortSignal): ExecStream {
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
    resize: (columns, rows) => void seen.sizes.push(`${columns}x${rows}`),
    onOutput(listener) {
      const tell = (stream: 'stdout' | 'stderr') => (chunk: Buffer) => {
        seen.outputBytes += chunk.length;
        listener(stream, chunk);
      };
      stdout.on('data', tell('stdout'));
      stderr.on('data', tell('stderr'));
    },
    pause() {
      if (seen.outputBytes > 0) seen.pauses++;
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
