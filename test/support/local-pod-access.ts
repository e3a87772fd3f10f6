import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import type { ExecStream } from '../../api/exec-stream.ts';
import { StatusError } from '../../api/status.ts';
import type {
  PodAccess,
  PodExecRequest,
  PodLogOptions,
  PodTarget,
} from '../../controller/pod-access.ts';
import { noPodAccess } from './api-server.ts';

/**
 * A PodAccess whose containers are this machine: exec runs a process here, attach one that is always `cat; exit 7`, ports are
 * this machine's, logs count lines.
 */
export interface LocalPodAccess extends PodAccess {
  readonly seen: Seen;
}

/** What the API server did with the execs so far. */
export interface Seen {
  /** Of terminals: "80x24". */
  readonly sizes: string[];
  readonly logs: { readonly pod: PodTarget; readonly options: PodLogOptions }[];
  outputBytes: number;
  /** How often it asked for output to wait, once there was some. */
  pauses: number;
}

export function localPodAccess(): LocalPodAccess {
  const seen: Seen = { sizes: [], logs: [], outputBytes: 0, pauses: 0 };
  return {
    ...noPodAccess,
    seen,
    logs: async (pod, options) => {
      seen.logs.push({ pod, options });
      return lines(options.tailLines ?? 3);
    },
    exec: async (_, request, signal) => {
      if (request.size) seen.sizes.push(`${request.size.columns}x${request.size.rows} at once`);
      return run(request, seen, signal);
    },
    attach: async (_, request, signal) =>
      run({ ...request, tty: false, command: ['sh', '-c', 'cat; exit 7'] }, seen, signal),
    portForward: (_, port, signal) => dial(port, signal),
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

async function dial(port: number, signal: AbortSignal): Promise<ExecStream> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  const close = () => void socket.destroy();
  signal.addEventListener('abort', close);
  await once(socket, 'connect').catch((cause) => {
    throw new StatusError('BadRequest', `nothing listens on port ${port}`, { cause });
  });
  const ended = Promise.withResolvers<{ exitCode: number }>();
  socket.on('error', () => {});
  socket.on('close', () => ended.resolve({ exitCode: 0 }));
  return {
    write: (chunk) => socket.write(chunk),
    onDrain: (listener) => void socket.on('drain', listener),
    endInput: () => void socket.end(),
    resize() {},
    onOutput: (listener) => {
      socket.on('data', (chunk: Buffer) => listener('stdout', chunk));
      // The client's end follows the pod's, as for real pods.
      socket.on('end', () => socket.end());
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    exited: ended.promise,
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
