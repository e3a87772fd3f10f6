import type { BulkFrame } from '../../api/generated/agent.ts';
import { deferred } from '../../base/deadline.ts';
import type { ExecStream } from '../pod-access.ts';
import { endings, failureOf, nodeHungUp, type OpenedSession } from './sessions.ts';

/** A command on a node, over its bulk stream. The stream's own flow control is the back-pressure, both ways. */
export function execStream({ call, hangUp }: OpenedSession): ExecStream {
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
export async function* logStream(
  { call, hangUp }: OpenedSession,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  signal.addEventListener('abort', hangUp, { once: true });
  try {
    for await (const { frame } of call.iterator({
      destroyOnReturn: false,
    }) as AsyncIterable<BulkFrame>) {
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
