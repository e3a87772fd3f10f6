import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { BulkFrame } from '../../api/generated/agent.ts';
import { errorChain } from '../../base/error-chain.ts';
import { SessionError } from './session-handlers.ts';

export type BulkCall = ClientDuplexStream<BulkFrame, BulkFrame>;
export type Frame = NonNullable<BulkFrame['frame']>;

/** False: taken, but wait for 'drain'. What comes after the end goes nowhere. */
export function sendFrame(call: BulkCall, frame: Frame): boolean {
  return call.destroyed || call.writableEnded || call.write({ frame });
}

/** The last frame, and the end of this side. */
export function finish(call: BulkCall, frame: Frame): void {
  sendFrame(call, frame);
  call.end();
}

export function failureFrame(error: unknown): Frame {
  const reason = error instanceof SessionError ? error.reason : 'InternalError';
  return { $case: 'failure', value: { reason, message: errorChain(error) } };
}

/** However the controller's side ends: it hung up, or the connection is gone. */
export function onHangUp(call: BulkCall, listener: () => void): void {
  for (const event of ['end', 'close', 'error'] as const) call.on(event, listener);
}
