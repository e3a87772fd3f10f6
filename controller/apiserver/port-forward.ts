import type { ExecStream } from '../../api/exec-stream.ts';
import { heldCalls } from './held-calls.ts';
import { badRequest } from './request-options.ts';
import { toStatusError } from './status-reply.ts';

/** Connects to a port of the pod. Abort ends the opening. Rejects with StatusError. */
export type OpenPort = (port: number, signal: AbortSignal) => Promise<ExecStream>;

/** The client's side of one forwarded connection. */
export interface ForwardClient {
  /** False: taken, but `resume` says when there may be more. */
  output(chunk: Uint8Array): boolean;
  /** The last thing said; a failure in words for the user. */
  finish(failure: string | undefined): void;
  /** Much waits for the pod to read it; then no longer. */
  holdInput(): void;
  releaseInput(): void;
}

/** The pod's side. After its end calls do nothing. */
export type Forwarding = ReturnType<typeof forwardPort>;

export const isPort = (port: number): boolean =>
  Number.isInteger(port) && port >= 1 && port <= 65_535;

/** What several read from by turns: nothing comes as long as one of them holds it. */
export function sharedInput(connection: { pause(): unknown; resume(): unknown }) {
  const holders = new Set<number>();
  return {
    hold(who: number) {
      holders.add(who);
      connection.pause();
    },
    release(who: number) {
      holders.delete(who);
      if (holders.size === 0) connection.resume();
    },
  };
}

/** Clients share one connection between several: so that one that doesn't read doesn't stop all, this much may wait. */
const maxWaitingBytes = 4 * 1024 * 1024;

/** One connection to `port`. What the client sends before it is open waits. */
export function forwardPort(open: OpenPort, port: number, client: ForwardClient) {
  const closed = new AbortController();
  const stream = heldCalls<ExecStream>();
  let ended = false;
  let waitingBytes = 0;
  const tell = (say: (stream: ExecStream) => unknown) => {
    if (!ended) stream.tell(say);
  };
  const release = () => {
    if (waitingBytes >= maxWaitingBytes) client.releaseInput();
    waitingBytes = 0;
  };
  const waits = (chunk: Uint8Array) => {
    if (waitingBytes < maxWaitingBytes && waitingBytes + chunk.length >= maxWaitingBytes)
      client.holdInput();
    waitingBytes += chunk.length;
  };
  const joined = async () => {
    if (!isPort(port)) throw badRequest(`there is no port ${port}`);
    const opened = await open(port, closed.signal);
    opened.onOutput((_, chunk) => {
      if (!client.output(chunk)) opened.pause();
    });
    opened.onDrain(release);
    stream.arrive(opened);
    release();
    await opened.exited;
  };
  const end = (failure?: string) => {
    ended = true;
    release();
    client.finish(closed.signal.aborted ? undefined : failure);
  };
  joined().then(
    () => end(),
    (error: unknown) => end(toStatusError(error).message),
  );
  return {
    input(chunk: Uint8Array) {
      if (!stream.isThere()) waits(chunk);
      tell((s) => s.write(chunk) || waits(chunk));
    },
    inputEnd: () => tell((s) => s.endInput()),
    resume: () => tell((s) => s.resume()),
    close() {
      closed.abort();
      tell((s) => s.close());
    },
  };
}
