import { parentPort } from 'node:worker_threads';
import { errorChain } from '../../base/error-chain.ts';
import { ImageError, type ImageErrorReason } from './image-error.ts';
import { type UnpackRequest, unpackLayer } from './unpack-layer.ts';

/** To the worker. */
export type UnpackCall =
  | { readonly id: number; readonly request: UnpackRequest }
  | { readonly id: number; readonly abort: true };

/** From the worker: one for each request, errors as plain data, as classes don't cross. */
export interface UnpackReturn {
  readonly id: number;
  readonly error: { readonly reason: ImageErrorReason; readonly message: string } | undefined;
}

const running = new Map<number, AbortController>();

parentPort?.on('message', (call: UnpackCall) => {
  if ('abort' in call) running.get(call.id)?.abort(new Error('aborted'));
  else void serve(call.id, call.request);
});

async function serve(id: number, request: UnpackRequest): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  const error = await unpackLayer(request, controller.signal).then(() => undefined, describe);
  running.delete(id);
  parentPort?.postMessage({ id, error } satisfies UnpackReturn);
}

function describe(error: unknown): UnpackReturn['error'] {
  const reason = error instanceof ImageError ? error.reason : 'StorageFailed';
  return { reason, message: errorChain(error) };
}
