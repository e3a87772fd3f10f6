import { text } from 'node:stream/consumers';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { ExecStream } from '../../api/exec-stream.ts';
import type { BulkFrame, OpenSession } from '../../api/generated/agent.ts';
import { StatusError, type StatusReason, statusReasons } from '../../api/status.ts';
import type { Base } from '../../base/base.ts';
import { withDeadline } from '../../base/deadline.ts';
import type { PodAccess } from '../pod-access.ts';
import type { AgentLink } from './agent-link.ts';
import { refusal, refuse } from './peer.ts';

type BulkCall = ServerDuplexStream<BulkFrame, BulkFrame>;
type Frame = NonNullable<BulkFrame['frame']>;

interface OpenedSession {
  readonly call: BulkCall;
  /** Ends it at once, even if the agent doesn't read its stream. Safe to repeat. */
  hangUp(): void;
}

type SessionRequest = NonNullable<OpenSession['request']>;

const openLimitMs = 10_000;

type Expected = Readonly<{ nodeName: string; call: PromiseWithResolvers<BulkCall> }>;

/** Sessions that agents are asked to open, until their stream is there. */
export function sessions(
  { clock, rng }: Pick<Base, 'clock' | 'rng'>,
  links: ReadonlyMap<string, AgentLink>,
) {
  const expected = new Map<string, Expected>();
  return {
    /**
     * Asks the agent and waits for its stream and for its Ready. The stream is paused, what follows is still in it.
     * Throws StatusError: ServiceUnavailable, Timeout, or the node's own refusal.
     */
    async open(nodeName: string, request: SessionRequest, signal: AbortSignal) {
      const link = links.get(nodeName);
      if (!link) throw new StatusError('ServiceUnavailable', `node "${nodeName}" is not connected`);
      const id = rng.uuid();
      const call = Promise.withResolvers<BulkCall>();
      expected.set(id, { nodeName, call });
      try {
        link.openSession({ id, request });
        const opened = await withinLimit(clock, signal, () => readyCall(call.promise));
        return { call: opened, hangUp: () => link.closeSession(id) };
      } catch (error) {
        link.closeSession(id);
        throw error;
      } finally {
        expected.delete(id);
      }
    },
    /** A bulk stream of this node begins. */
    accept(nodeName: string, call: BulkCall) {
      call.on('error', () => undefined);
      const stopWaiting = clock.after(openLimitMs, () =>
        refuse(call, refusal('DEADLINE_EXCEEDED', 'a session begins with its name')),
      );
      firstFrame(call)
        .finally(stopWaiting)
        .then(
          (frame) => {
            const session = expected.get(frame.$case === 'opened' ? frame.value : '');
            if (session?.nodeName === nodeName) session.call.resolve(call);
            else refuse(call, refusal('NOT_FOUND', 'nobody waits for this session'));
          },
          () => undefined,
        );
    },
  };
}

async function withinLimit<T>(clock: Base['clock'], parent: AbortSignal, fn: () => Promise<T>) {
  try {
    return await withDeadline({ clock, ms: openLimitMs, what: 'opening a session', parent }, fn);
  } catch (cause) {
    if (cause instanceof StatusError || parent.aborted) throw cause;
    throw new StatusError('Timeout', 'the node does not answer', { cause });
  }
}

async function readyCall(opening: Promise<BulkCall>): Promise<BulkCall> {
  const call = await opening;
  const frame = await firstFrame(call);
  if (frame.$case !== 'ready') throw failureOf(frame);
  return call;
}

/** The next frame; the stream is paused behind it. Rejects when the stream ends instead. */
function firstFrame(call: BulkCall): Promise<Frame> {
  const { promise, resolve, reject } = Promise.withResolvers<Frame>();
  const settle = (frame?: Frame) => {
    call.off('data', onData);
    for (const event of endings) call.off(event, onEnd);
    if (frame) resolve(frame);
    else reject(nodeHungUp());
  };
  const onData = ({ frame }: BulkFrame) => {
    call.pause();
    settle(frame);
  };
  const onEnd = () => settle();
  for (const event of endings) call.on(event, onEnd);
  call.on('data', onData);
  call.resume();
  return promise;
}

/** However a stream ends. */
const endings = ['end', 'close', 'cancelled', 'error'] as const;

const nodeHungUp = () => new StatusError('InternalError', 'the node hung up');

/** The node's own words; a reason that isn't in the table is an internal error. */
function failureOf(frame: Frame): StatusError {
  if (frame.$case !== 'failure')
    return new StatusError('InternalError', `unexpected frame from the node: ${frame.$case}`);
  const { reason, message } = frame.value;
  return new StatusError(isReason(reason) ? reason : 'InternalError', message);
}

const isReason = (reason: string): reason is StatusReason => reason in statusReasons;

/** Logs, exec, attach and ports over the agents' bulk streams. */
export const linkPodAccess = ({ open }: ReturnType<typeof sessions>): PodAccess => ({
  async logs({ nodeName, uid: podUid }, options, signal) {
    const value = { podUid, ...options };
    return logStream(await open(nodeName, { $case: 'logs', value }, signal), signal);
  },
  async exec({ nodeName, uid: podUid }, request, signal) {
    const value = { podUid, ...request, command: [...request.command] };
    return execStream(await open(nodeName, { $case: 'exec', value }, signal));
  },
  async attach({ nodeName, uid: podUid }, request, signal) {
    const value = { podUid, ...request };
    return execStream(await open(nodeName, { $case: 'attach', value }, signal));
  },
  async portForward({ nodeName, uid: podUid }, port, signal) {
    const value = { podUid, port };
    return execStream(await open(nodeName, { $case: 'portForward', value }, signal));
  },
  async nodeText(nodeName, what, signal) {
    const session = await open(nodeName, { $case: 'nodeQuery', value: { what } }, signal);
    return text(logStream(session, signal));
  },
});

/** A command on a node, over its bulk stream. The stream's own flow control is the back-pressure, both ways. */
function execStream({ call, hangUp }: OpenedSession): ExecStream {
  const exited = Promise.withResolvers<{ readonly exitCode: number }>();
  exited.promise.catch(() => undefined);
  let listener: ((stream: 'stdout' | 'stderr', chunk: Buffer) => void) | undefined;

  const send = (frame: NonNullable<BulkFrame['frame']>) =>
    call.destroyed || call.writableEnded || call.write({ frame });
  const finish = (settle: () => void) => {
    settle();
    call.end();
  };

  call.on('data', ({ frame }: BulkFrame) => {
    if (!frame) return;
    if (frame.$case === 'stdout' || frame.$case === 'stderr') listener?.(frame.$case, frame.value);
    else if (frame.$case === 'exit') finish(() => exited.resolve(frame.value));
    else finish(() => exited.reject(failureOf(frame)));
  });
  for (const event of endings) call.on(event, () => exited.reject(nodeHungUp()));
  call.pause();

  return {
    write: (chunk) => send({ $case: 'stdin', value: Buffer.from(chunk) }),
    onDrain: (onDrain) => void call.on('drain', onDrain),
    endInput: () => void send({ $case: 'endInput', value: {} }),
    resize: (columns, rows) => void send({ $case: 'resize', value: { columns, rows } }),
    onOutput(onOutput) {
      listener = onOutput;
      call.resume();
    },
    pause: () => void call.pause(),
    resume: () => void call.resume(),
    exited: exited.promise,
    close: hangUp,
  };
}

/** The chunks of a log, read from the node only as fast as they are taken. Ends quietly when aborted. */
async function* logStream({ call, hangUp }: OpenedSession, signal: AbortSignal) {
  signal.addEventListener('abort', hangUp, { once: true });
  try {
    const frames: AsyncIterable<BulkFrame> = call.iterator({ destroyOnReturn: false });
    for await (const { frame } of frames) {
      if (frame?.$case === 'exit') return;
      if (frame?.$case !== 'stdout') throw frame ? failureOf(frame) : nodeHungUp();
      yield frame.value;
    }
    throw nodeHungUp();
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', hangUp);
    hangUp();
    call.end();
  }
}
