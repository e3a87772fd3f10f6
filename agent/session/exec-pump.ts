import type { BulkFrame } from '../../api/generated/agent.ts';
import type { ExecSession } from '../kernel/shim.ts';
import { type BulkCall, failureFrame, finish, onHangUp, sendFrame } from './bulk-call.ts';
import type { ExecTarget, SessionHandlers } from './session-handlers.ts';

/** Joins a command to a bulk stream. A full stream pauses the command's output, a full command the stream. */
export async function pumpExec(
  call: BulkCall,
  request: ExecTarget,
  handlers: SessionHandlers,
): Promise<void> {
  let session: ExecSession;
  try {
    session = await handlers.exec(request);
  } catch (error) {
    finish(call, failureFrame(error));
    return;
  }
  onHangUp(call, () => session.close());
  if (call.destroyed) session.close();
  sendFrame(call, { $case: 'ready', value: {} });
  pumpOutput(call, session, request);
  pumpInput(call, session);
  await session.exited.then(
    ({ exitCode }) => finish(call, { $case: 'exit', value: { exitCode } }),
    (error: unknown) => finish(call, failureFrame(error)),
  );
}

function pumpOutput(call: BulkCall, session: ExecSession, wanted: ExecTarget): void {
  session.onOutput((stream, chunk) => {
    if (!wanted[stream]) return;
    if (!sendFrame(call, { $case: stream, value: chunk })) session.pause();
  });
  call.on('drain', () => session.resume());
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
