import { type MessagePort, parentPort } from 'node:worker_threads';
import { errorChain } from '../../base/error-chain.ts';
import { ImageError, type ImageErrorReason } from './image-error.ts';
import { type UnpackRequest, unpackLayer } from './unpack-layer.ts';

/** To the worker. On the port it says how it went; whatever it hears there means: abort. */
export interface UnpackCall {
  readonly request: UnpackRequest;
  readonly port: MessagePort;
}

/** undefined: it is done. Errors as plain data, as classes don't cross. */
export type UnpackOutcome =
  | { readonly reason: ImageErrorReason; readonly message: string }
  | undefined;

parentPort?.on('message', ({ request, port }: UnpackCall) => void serve(request, port));

async function serve(request: UnpackRequest, port: MessagePort): Promise<void> {
  const controller = new AbortController();
  port.on('message', () => controller.abort(new Error('aborted')));
  port.postMessage(await unpackLayer(request, controller.signal).then(() => undefined, describe));
  port.close();
}

function describe(error: unknown): UnpackOutcome {
  const reason = error instanceof ImageError ? error.reason : 'StorageFailed';
  return { reason, message: errorChain(error) };
}
