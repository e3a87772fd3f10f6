import { once } from 'node:events';
import { type BulkCall, failureFrame, finish, onHangUp, sendFrame } from './bulk-call.ts';

/** Sends a text (a log, an answer) over a bulk stream, no faster than it is taken. */
export async function pumpText(
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
