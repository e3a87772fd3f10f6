import { Worker } from 'node:worker_threads';
import { type Deferred, deferred } from '../../base/deadline.ts';
import { ImageError } from './image-error.ts';
import type { UnpackRequest } from './unpack-layer.ts';
import type { UnpackCall, UnpackReturn } from './unpack-worker.ts';

/** Unpacks layers in a thread of their own: hashing and parsing them would hold up everything else. */
export interface Unpacker {
  /** Throws ImageError, or the signal's reason. */
  unpack(request: UnpackRequest, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** The thread starts with the first layer and ends when the last one of those under way is done. */
export function openUnpacker(): Unpacker {
  const waiting = new Map<number, Deferred<void>>();
  let worker: Worker | undefined;
  let serial = 0;
  const start = () => {
    const started = startWorker(waiting, () => {
      if (worker === started) worker = undefined;
    });
    return started;
  };
  const retire = async () => {
    const idle = worker;
    worker = undefined;
    await idle?.terminate();
  };
  return {
    async unpack(request, signal) {
      signal.throwIfAborted();
      const id = ++serial;
      const done = deferred<void>();
      waiting.set(id, done);
      worker ??= start();
      const send = (call: UnpackCall) => worker?.postMessage(call);
      const onAbort = () => send({ id, abort: true });
      signal.addEventListener('abort', onAbort, { once: true });
      send({ id, request });
      try {
        await done.promise;
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      } finally {
        signal.removeEventListener('abort', onAbort);
        waiting.delete(id);
        if (waiting.size === 0) await retire();
      }
    },
    close: retire,
  };
}

function startWorker(waiting: Map<number, Deferred<void>>, onEnd: () => void): Worker {
  const worker = new Worker(new URL('./unpack-worker.ts', import.meta.url));
  const failAll = (cause: unknown) => {
    onEnd();
    const error = new ImageError('StorageFailed', 'the unpacking thread ended', { cause });
    for (const done of waiting.values()) done.reject(error);
  };
  worker.on('message', ({ id, error }: UnpackReturn) => {
    if (error === undefined) waiting.get(id)?.resolve();
    else waiting.get(id)?.reject(new ImageError(error.reason, error.message));
  });
  return worker.on('error', failAll).on('exit', failAll);
}
