import { once } from 'node:events';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { AgentLinkClient, BulkFrame, OpenSession } from '../../api/generated/agent.ts';
import { errorChain } from '../../base/error-chain.ts';
import type { ExecSession } from '../kernel/shim.ts';
import { SessionError, type SessionHandlers, type SessionOptions } from './session-options.ts';

/** The sessions that one controller asks for, each a stream on a connection of its own. */
export function bulkSessions(
  dial: () => AgentLinkClient,
  { handlers, log }: Pick<SessionOptions, 'handlers' | 'log'>,
) {
  const calls = new Map<string, BulkCall>();
  return {
    open(session: OpenSession): void {
      const client = dial();
      const call = client.bulk();
      calls.set(session.id, call);
      // Not 'close': that waits for somebody to read what is left.
      call.on('status', () => {
        calls.delete(session.id);
        client.close();
      });
      call.on('error', (err) => log.debug({ err, component: 'session' }, 'bulk stream ended'));
      sendFrame(call, { $case: 'opened', value: session.id });
      pump(call, session, handlers).catch((error: unknown) => finish(call, failureFrame(error)));
    },
    /** The controller's side has gone. Unknown: no effect. */
    close: (id: string) => calls.get(id)?.cancel(),
    closeAll(): void {
      for (const call of calls.values()) call.cancel();
    },
  };
}

function pump(call: BulkCall, { request }: OpenSession, handlers: SessionHandlers): Promise<void> {
  switch (request?.$case) {
    case 'exec':
      return pumpExec(call, request.value, () => handlers.exec(request.value));
    case 'attach':
      return pumpExec(call, request.value, () => handlers.attach(request.value));
    case 'portForward':
      return pumpExec(call, onlyOutput, () => handlers.portForward(request.value));
    case 'logs':
      return pumpText(call, (signal) => handlers.logs(request.value, signal));
    case 'nodeQuery':
      return pumpText(call, () => answer(handlers, request.value.what));
    default:
      return Promise.reject(new Error('a session of a kind that this agent does not know'));
  }
}

/** In pieces: a message of the link has its limit. */
const answer = async (handlers: SessionHandlers, what: string) =>
  new Blob([await handlers.query(what)]).stream();

const onlyOutput = { stdout: true, stderr: false };

/** Joins a process or a connection to a bulk stream. A full stream pauses its output, a full process the stream. */
async function pumpExec(
  call: BulkCall,
  wanted: { readonly stdout: boolean; readonly stderr: boolean },
  open: () => Promise<ExecSession>,
): Promise<void> {
  let session: ExecSession;
  try {
    session = await open();
  } catch (error) {
    finish(call, failureFrame(error));
    return;
  }
  onHangUp(call, () => session.close());
  if (call.destroyed) session.close();
  sendFrame(call, { $case: 'ready', value: {} });
  session.onOutput((stream, chunk) => {
    if (!wanted[stream]) return;
    if (!sendFrame(call, { $case: stream, value: chunk })) session.pause();
  });
  call.on('drain', () => session.resume());
  pumpInput(call, session);
  await session.exited.then(
    ({ exitCode }) => finish(call, { $case: 'exit', value: { exitCode } }),
    (error: unknown) => finish(call, failureFrame(error)),
  );
}

function pumpInput(call: BulkCall, session: ExecSession): void {
  call.on('data', ({ frame }: BulkFrame) => {
    if (frame?.$case === 'stdin' && !session.write(frame.value)) call.pause();
    if (frame?.$case === 'endInput') session.endInput();
    if (frame?.$case === 'resize') session.resize(frame.value.columns, frame.value.rows);
  });
  session.onDrain(() => call.resume());
}

/** Sends a text (a log, an answer) over a bulk stream, no faster than it is taken. */
async function pumpText(
  call: BulkCall,
  open: (signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>,
): Promise<void> {
  const hungUp = new AbortController();
  onHangUp(call, () => hungUp.abort(new Error('the reader hung up')));
  call.resume();
  try {
    const chunks = await open(hungUp.signal);
    sendFrame(call, { $case: 'ready', value: {} });
    for await (const chunk of chunks) {
      if (hungUp.signal.aborted) return;
      const hasRoom = sendFrame(call, { $case: 'stdout', value: Buffer.from(chunk) });
      if (!hasRoom) await once(call, 'drain', { signal: hungUp.signal });
    }
    finish(call, { $case: 'exit', value: { exitCode: 0 } });
  } catch (error) {
    finish(call, failureFrame(error));
  }
}

type BulkCall = ClientDuplexStream<BulkFrame, BulkFrame>;
type Frame = NonNullable<BulkFrame['frame']>;

/** False: taken, but wait for 'drain'. What comes after the end goes nowhere. */
const sendFrame = (call: BulkCall, frame: Frame): boolean =>
  call.destroyed || call.writableEnded || call.write({ frame });

/** The last frame, and the end of this side. */
function finish(call: BulkCall, frame: Frame): void {
  sendFrame(call, frame);
  call.end();
}

function failureFrame(error: unknown): Frame {
  const reason = error instanceof SessionError ? error.reason : 'InternalError';
  return { $case: 'failure', value: { reason, message: errorChain(error) } };
}

/** However the controller's side ends: it hung up, or the connection is gone. */
function onHangUp(call: BulkCall, listener: () => void): void {
  for (const event of ['end', 'close', 'error'] as const) call.on(event, listener);
}
