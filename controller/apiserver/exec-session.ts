import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ExecStream } from '../../api/exec-stream.ts';
import type { Clock } from '../../base/clock.ts';
import type { PodExecRequest } from '../pod-access.ts';
import { heldCalls } from './held-calls.ts';
import { badRequest, flag } from './request-options.ts';
import { statusOf, toStatusError } from './status-reply.ts';

export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What the client sent behind its request. */
  readonly head: Buffer;
}

/** One side of an exec: the client, over whichever protocol it speaks. */
export interface ExecTransport {
  /** Nothing of the client's is read before. Called once. */
  start(client: ExecClient): void;
  /** False: taken, but wait for `onDrain`. */
  output(stream: 'stdout' | 'stderr', chunk: Uint8Array): boolean;
  onDrain(listener: () => void): void;
  pauseInput(): void;
  resumeInput(): void;
  /** The last thing sent; then the connection is closed. */
  finish(status: ExecStatus): void;
}

export interface ExecClient {
  input(chunk: Uint8Array): void;
  inputEnd(): void;
  resize(columns: number, rows: number): void;
  /** The client is gone. */
  close(): void;
}

/** metav1.Status as exec's error channel carries it. */
export interface ExecStatus {
  readonly status: 'Success' | 'Failure';
  readonly reason?: string;
  readonly message?: string;
  readonly details?: object;
}

export interface ExecOpening {
  readonly tty: boolean;
  readonly clock: Clock;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
  open(size: TerminalSize | undefined): Promise<ExecStream>;
}

type TerminalSize = NonNullable<PodExecRequest['size']>;

/** Opens what the client asked for, its terminal's size known if it has one, and joins the two. */
export async function serveExec(transport: ExecTransport, opening: ExecOpening): Promise<void> {
  const { tty, clock, signal, open } = opening;
  try {
    const early = tty ? startEarly(transport) : undefined;
    const stream = await open(await early?.size(clock));
    signal.addEventListener('abort', () => stream.close(), { once: true });
    if (signal.aborted) stream.close();
    connectExec(stream, early ?? transport);
  } catch (error) {
    transport.finish(failureStatus(error));
  }
}

/** A client that hasn't said its terminal's size by then may not be going to. */
const sizeWithinMs = 100;

/** Reads what the client says already: its first size is known as soon as it comes, and the rest is told at `start`. */
function startEarly(transport: ExecTransport) {
  const sized = Promise.withResolvers<TerminalSize | undefined>();
  const { tell, arrive, isThere } = heldCalls<ExecClient>();
  transport.start({
    input(chunk) {
      if (!isThere()) transport.pauseInput();
      tell((c) => c.input(chunk));
    },
    inputEnd: () => tell((c) => c.inputEnd()),
    resize(columns, rows) {
      sized.resolve({ columns, rows });
      tell((c) => c.resize(columns, rows));
    },
    close: () => tell((c) => c.close()),
  });
  return {
    ...transport,
    size(clock: Clock) {
      const cancel = clock.after(sizeWithinMs, () => sized.resolve(undefined));
      return sized.promise.finally(cancel);
    },
    start(given: ExecClient) {
      transport.resumeInput();
      arrive(given);
    },
  };
}

/** Joins a command and its client, with back-pressure both ways, until one of them ends. */
export function connectExec(stream: ExecStream, transport: ExecTransport): void {
  stream.onOutput((name, chunk) => {
    if (!transport.output(name, chunk)) stream.pause();
  });
  transport.onDrain(() => stream.resume());
  stream.onDrain(() => transport.resumeInput());
  stream.exited.then(
    ({ exitCode }) => transport.finish(exitStatus(exitCode)),
    (error: unknown) => transport.finish(failureStatus(error)),
  );
  transport.start({
    input: (chunk) => {
      if (!stream.write(chunk)) transport.pauseInput();
    },
    inputEnd: () => stream.endInput(),
    resize: (columns, rows) => stream.resize(columns, rows),
    close: () => stream.close(),
  });
  stream.resume();
}

export type WantedStreams = Omit<PodExecRequest, 'command' | 'size'>;

export function commandIn(query: URLSearchParams): readonly string[] {
  const command = query.getAll('command');
  if (command.length === 0) throw badRequest('you must specify a command');
  return command;
}

export function wantedStreams(query: URLSearchParams, container: string): WantedStreams {
  const tty = flag(query, 'tty');
  const stdin = flag(query, 'stdin');
  const stdout = flag(query, 'stdout');
  const stderr = flag(query, 'stderr');
  if (!stdin && !stdout && !stderr)
    throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
  return { container, stdin, stdout, stderr: stderr && !tty, tty };
}

/** How kubectl learns the exit code: it exits with the same. */
export function exitStatus(exitCode: number): ExecStatus {
  if (exitCode === 0) return { status: 'Success' };
  return {
    status: 'Failure',
    reason: 'NonZeroExitCode',
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}

const failureStatus = (error: unknown): ExecStatus => statusOf(toStatusError(error));

/** {"Width":80,"Height":24}, as clients send it on the resize channel; nonsense is passed over. */
export function tellSize(text: string, client: Pick<ExecClient, 'resize'> | undefined): void {
  const [, columns] = /"Width"\s*:\s*(\d{1,5})/i.exec(text) ?? [];
  const [, rows] = /"Height"\s*:\s*(\d{1,5})/i.exec(text) ?? [];
  if (columns && rows) client?.resize(Number(columns), Number(rows));
}
