import { type MessagePort, parentPort } from 'node:worker_threads';
import { errorChain } from '../../base/error-chain.ts';
import { ImageError, type ImageErrorReason } from './image-error.ts';
import { type LayerStream, streamLayer } from './unpack-stream.ts';

/** To the worker, which says on the port how it went, and stops when `stop` isn't 0. */
export interface StreamCall {
  readonly layer: LayerStream;
  readonly pipe: number;
  readonly stop: SharedArrayBuffer;
  readonly port: MessagePort;
}

/** undefined: it is done. Errors as plain data, as classes don't cross; without a reason it is the pipe's. */
export type StreamOutcome =
  | { readonly reason: ImageErrorReason | undefined; readonly message: string }
  | undefined;

parentPort?.on('message', ({ layer, pipe, stop, port }: StreamCall) => {
  const flag = new Int32Array(stop);
  let outcome: StreamOutcome;
  try {
    streamLayer(layer, pipe, () => Atomics.load(flag, 0) !== 0);
  } catch (error) {
    const reason = error instanceof ImageError ? error.reason : undefined;
    outcome = { reason, message: errorChain(error) };
  }
  port.postMessage(outcome);
  port.close();
});
