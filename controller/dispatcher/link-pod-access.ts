import { text } from 'node:stream/consumers';
import type { BulkFrame } from '../../api/generated/agent.ts';
import { StatusError } from '../../api/status.ts';
import { deferred } from '../../base/deadline.ts';
import type { ExecStream, PodAccess } from '../pod-access.ts';
import type { AgentLink } from './agent-link.ts';
import {
  endings,
  failureOf,
  nodeHungUp,
  type OpenedSession,
  type SessionRequest,
  type Sessions,
} from './sessions.ts';

/** Logs, exec, attach and ports over the agents' bulk streams. */
export function linkPodAccess(
  links: ReadonlyMap<string, AgentLink>,
  sessions: Sessions,
): PodAccess {
  const open = (nodeName: string, request: SessionRequest, signal: AbortSignal) =>
    sessions.open(linkTo(links, nodeName), request, signal);
  return {
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
  };
}

function linkTo(links: ReadonlyMap<string, AgentLink>, nodeName: string): AgentLink {
  const link = links.get(nodeName);
  if (link) return link;
  throw new StatusError('ServiceUnavailable', `node "${nodeName}" is not connected`);
}

/** A command on a node, over its bulk stream. The stream's own flow control is the back-pressure, both ways. */
function execStream({ call, hangUp }: OpenedSession): ExecStream {
  const exited = deferred<{ readonly exitCode: number }>();
  exited.promise.catch(() => undefined);
  let listener: ((stream: 'stdout' | 'stderr', chunk: Uint8Array) => void) | undefined;

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
