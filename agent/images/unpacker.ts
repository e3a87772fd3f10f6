import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../../base/clock.ts';
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

/** A thread takes 100 ms to start and some MB to keep. */
const idleMs = 30_000;

/** The thread starts with the first layer and ends when there was none for a while. Idle, it keeps no process alive. */
export function openUnpacker(clock: Clock): Unpacker {
  let thread: Thread | undefined;
  let serial = 0;
  let cancelRetirement = () => {};
  const retire = async () => {
    cancelRetirement();
    const idle = thread;
    thread = undefined;
    await idle?.worker.terminate();
  };
  const running = () => {
    cancelRetirement();
    thread = thread?.ended === false ? thread : startThread();
    thread.worker.ref();
    return thread;
  };
  const rest = ({ worker, waiting }: Thread) => {
    if (waiting.size > 0) return;
    worker.unref();
    cancelRetirement = clock.after(idleMs, () => void retire());
  };
  return {
    async unpack(request, signal) {
      signal.throwIfAborted();
      const on = running();
      try {
        await callThread(on, { id: ++serial, request }, signal);
      } finally {
        rest(on);
      }
    },
    close: retire,
  };
}

interface Thread {
  readonly worker: Worker;
  readonly waiting: Map<number, Deferred<void>>;
  ended: boolean;
}

function startThread(): Thread {
  const worker = new Worker(new URL(`./unpack-worker${extname(import.meta.url)}`, import.meta.url));
  const thread: Thread = { worker, waiting: new Map(), ended: false };
  const failAll = (cause: unknown) => {
    thread.ended = true;
    const error = new ImageError('StorageFailed', 'the unpacking thread ended', { cause });
    for (const done of thread.waiting.values()) done.reject(error);
  };
  worker.on('message', ({ id, error }: UnpackReturn) => {
    if (error === undefined) thread.waiting.get(id)?.resolve();
    else thread.waiting.get(id)?.reject(new ImageError(error.reason, error.message));
  });
  worker.on('error', failAll).on('exit', failAll);
  return thread;
}

async function callThread(
  { worker, waiting }: Thread,
  call: { readonly id: number; readonly request: UnpackRequest },
  signal: AbortSignal,
): Promise<void> {
  const done = deferred<void>();
  const onAbort = () => worker.postMessage({ id: call.id, abort: true } satisfies UnpackCall);
  waiting.set(call.id, done);
  signal.addEventListener('abort', onAbort, { once: true });
  worker.postMessage(call satisfies UnpackCall);
  try {
    await done.promise;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    waiting.delete(call.id);
  }
}
