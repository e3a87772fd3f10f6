import type { Writable } from 'node:stream';
import type { Pod } from '../api/pod.ts';
import { type Channels, openChannels } from './channels.ts';
import { CliError } from './cli-error.ts';
import { refusal } from './client.ts';
import { podRef } from './pods-of.ts';
import { type Api, objectPath } from './resources.ts';

/** A command in a container, or its first process: {@link openExec}. */
export interface ExecConnection extends Omit<Channels, 'input' | 'closed'> {
  readonly input: Writable;
  resize(columns: number, rows: number): void;
  /** Its exit code. Rejects with StatusError when it couldn't be run, CliError when the connection broke. */
  readonly exited: Promise<number>;
}

/** What is asked of a container. */
export interface ExecWanted {
  readonly pod: Pod;
  readonly container: string;
  /** undefined: attach to what runs already. */
  readonly command: readonly string[] | undefined;
  readonly stdin: boolean;
  /** False: only input is passed on. */
  readonly output: boolean;
  readonly tty: boolean;
}

export type OnOutput = (stream: 'stdout' | 'stderr', chunk: Buffer) => void;

/** Channel 0 is stdin, 1 stdout, 2 stderr, 3 the final Status, 4 the terminal's size. */
const channel = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4 };

/** Throws StatusError for what the server refuses, CliError otherwise. */
export async function openExec(
  api: Api,
  wanted: ExecWanted,
  onOutput: OnOutput,
): Promise<ExecConnection> {
  const { pod, container, command, stdin, output, tty } = wanted;
  const subresource = command === undefined ? 'attach' : 'exec';
  const streams = { stdin, stdout: output, stderr: output && !tty, tty };
  const request = {
    path: objectPath(podRef(pod), subresource),
    query: { command, container, ...streams },
  };
  const ended = Promise.withResolvers<number>();
  ended.promise.catch(() => {});
  const { connection } = await api.connected();
  const channels = await openChannels(connection, request, (from, payload) => {
    if (from === channel.stdout) onOutput('stdout', payload);
    if (from === channel.stderr) onOutput('stderr', payload);
    if (from === channel.status) settle(payload.toString(), ended);
  });
  void channels.closed.then((broke) =>
    ended.reject(broke ?? new CliError('the connection ended before the command did')),
  );
  const sizes = channels.input(channel.resize);
  return {
    ...channels,
    input: channels.input(channel.stdin),
    exited: ended.promise,
    resize: (columns, rows) => void sizes.write(JSON.stringify({ Width: columns, Height: rows })),
  };
}

interface ExecStatus {
  readonly status?: string;
  readonly code?: number;
  readonly details?: { readonly causes?: readonly { reason?: string; message?: string }[] };
}

function settle(json: string, ended: PromiseWithResolvers<number>): void {
  const { status, code = 500, details } = JSON.parse(json) as ExecStatus;
  const exit = details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message;
  if (status === 'Success') ended.resolve(0);
  else if (exit !== undefined && /^\d+$/.test(exit)) ended.resolve(Number(exit));
  else ended.reject(refusal(code, json));
}
