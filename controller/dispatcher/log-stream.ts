import type { BulkFrame } from '../../api/generated/agent.ts';
import { failureOf, nodeHungUp, type OpenedSession } from './sessions.ts';

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
