import { once } from 'node:events';
import type { BulkFrame } from '../../api/generated/agent.ts';
import type { ExecSession } from '../kernel/shim.ts';
import { type BulkCall, failureFrame, finish, onHangUp, sendFrame } from './bulk-call.ts';

/** Joins a process or a connection to a bulk stream. A full stream pauses its output, a full process the stream. */
export async function pumpExec(
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
    switch (frame?.$case) {
      case 'stdin':
        if (!session.write(frame.value)) call.pause();
        break;
      case 'endInput':
        session.endInput();
        break;
      case 'resize':
        session.resize(frame.value.columns, frame.value.rows);
        break;
      default:
        break;
    }
  });
  session.onDrain(() => call.resume());
}

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
