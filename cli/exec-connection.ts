import type { Pod } from '../api/pod.ts';
import { openChannels } from './channels.ts';
import { CliError } from './cli-error.ts';
import { refusal } from './client.ts';
import { podRef } from './pods-of.ts';
import { type Api, objectPath } from './resources.ts';

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

/** A command in a container, or its first process. Throws StatusError for what the server refuses, CliError otherwise. */
export async function openExec(api: Api, wanted: ExecWanted) {
  const { pod, container, command, stdin, output, tty } = wanted;
  const subresource = command === undefined ? 'attach' : 'exec';
  const streams = { stdin, stdout: output, stderr: output && !tty, tty };
  const path = objectPath(podRef(pod), subresource);
  const ended = Promise.withResolvers<number>();
  ended.promise.catch(() => {});
  const { connection } = await api.connected();
  const query = { command, container, ...streams };
  const { channel, closed, close } = await openChannels(connection, { path, query });
  // The last that is said.
  channel(3).on('data', (status: Buffer) => {
    settle(status.toString(), ended);
    close();
  });
  void closed.then((broke) =>
    ended.reject(broke ?? new CliError('the connection ended before the command did')),
  );
  return {
    ...{ stdin: channel(0), stdout: channel(1), stderr: channel(2), close },
    resize: (columns: number, rows: number) =>
      void channel(4).write(JSON.stringify({ Width: columns, Height: rows })),
    /** Its exit code. Rejects with StatusError when it couldn't be run, CliError when the connection broke. */
    exited: ended.promise,
  };
}

export type ExecConnection = Awaited<ReturnType<typeof openExec>>;

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
