import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { BulkFrame, OpenSession } from '../../api/generated/agent.ts';
import { StatusError, type StatusReason, statusReasons } from '../../api/status.ts';
import type { Base } from '../../base/base.ts';
import type { Clock } from '../../base/clock.ts';
import { type Deferred, deferred, withDeadline } from '../../base/deadline.ts';
import type { AgentLink } from './agent-link.ts';
import { refusal, refuse } from './peer.ts';

type BulkCall = ServerDuplexStream<BulkFrame, BulkFrame>;
type Frame = NonNullable<BulkFrame['frame']>;

export interface OpenedSession {
  readonly call: BulkCall;
  /** Ends it at once, even if the agent doesn't read its stream. Safe to repeat. */
  hangUp(): void;
}

export type SessionRequest = NonNullable<OpenSession['request']>;

const openLimitMs = 10_000;

interface Expected {
  readonly nodeName: string;
  readonly call: Deferred<BulkCall>;
}

export type Sessions = ReturnType<typeof sessions>;

/** Sessions that agents are asked to open, until their stream is there. */
export function sessions(deps: Pick<Base, 'clock' | 'rng'>) {
  const expected = new Map<string, Expected>();
  return {
    /**
     * Asks the agent and waits for its stream and for its Ready. The stream is paused, what follows is still in it.
     * Throws StatusError: Timeout, or the node's own refusal.
     */
    async open(link: AgentLink, request: SessionRequest, signal: AbortSignal) {
      const id = deps.rng.uuid();
      const call = deferred<BulkCall>();
      expected.set(id, { nodeName: link.nodeName, call });
      try {
        link.openSession({ id, request });
        const opened = await withinLimit(deps.clock, signal, () => readyCall(call.promise));
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
      const stopWaiting = deps.clock.after(openLimitMs, () =>
        refuse(call, refusal('DEADLINE_EXCEEDED', 'a session begins with its name')),
      );
      const first = firstFrame(call).finally(stopWaiting);
      first.then(
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

async function withinLimit<T>(clock: Clock, parent: AbortSignal, fn: () => Promise<T>): Promise<T> {
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
  const { promise, resolve, reject } = deferred<Frame>();
  const onData = ({ frame }: BulkFrame) => {
    call.pause();
    settle();
    if (frame) resolve(frame);
    else reject(nodeHungUp());
  };
  const onEnd = () => {
    settle();
    reject(nodeHungUp());
  };
  const settle = () => {
    call.off('data', onData);
    for (const event of endings) call.off(event, onEnd);
  };
  for (const event of endings) call.on(event, onEnd);
  call.on('data', onData);
  call.resume();
  return promise;
}

/** However a stream ends. */
export const endings = ['end', 'close', 'cancelled', 'error'] as const;

export const nodeHungUp = () => new StatusError('InternalError', 'the node hung up');

/** The node's own words; a reason that isn't in the table is an internal error. */
export function failureOf(frame: Frame): StatusError {
  if (frame.$case !== 'failure')
    return new StatusError('InternalError', `unexpected frame from the node: ${frame.$case}`);
  const { reason, message } = frame.value;
  return new StatusError(isReason(reason) ? reason : 'InternalError', message);
}

const isReason = (reason: string): reason is StatusReason => reason in statusReasons;
