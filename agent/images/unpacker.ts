import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { Clock } from '../../base/clock.ts';
import { untilWhole } from './growing-file.ts';
import { ImageError } from './image-error.ts';
import { type UnpackRequest, unpackLayer } from './unpack-layer.ts';
import type { LayerStream } from './unpack-stream.ts';
import type { StreamCall, StreamOutcome } from './unpack-worker.ts';

/** A thread takes 100 ms to start and some MB to keep. */
const idleMs = 30_000;
const maxThreads = availableParallelism() + 2;
/** They make little that lives long: left to itself V8 would take 20 MB more for each. */
const resourceLimits = { maxYoungGenerationSizeMb: 4 };

export type Unpacker = ReturnType<typeof openUnpacker>;

/**
 * Unpacks layers in threads of their own, one layer in each. The threads start when they are needed and end when there was
 * nothing to do for a while. Idle, they keep no process alive.
 */
export function openUnpacker(clock: Clock) {
  const idle = new Set<Worker>();
  let busy = 0;
  let freed = Promise.withResolvers<void>();
  let cancelRetirement = () => {};
  const retire = async () => {
    cancelRetirement();
    const workers = [...idle];
    idle.clear();
    await Promise.all(workers.map((worker) => worker.terminate()));
  };
  /** One thread is for layers that are whole: registries that trickle can't hold up everybody. */
  const takeTurn = async ({ blob }: UnpackRequest) => {
    if (busy >= maxThreads - 1) await untilWhole(blob);
    while (busy >= maxThreads) await freed.promise;
    busy++;
    cancelRetirement();
  };
  const send = async (layer: LayerStream, pipe: number, signal: AbortSignal) => {
    const [worker = startThread()] = idle;
    idle.delete(worker);
    const error = await callThread(worker, { layer, pipe }, signal);
    idle.add(worker);
    if (error?.reason !== undefined) throw new ImageError(error.reason, error.message);
    if (error !== undefined) throw new Error(error.message);
  };
  return {
    /** Throws ImageError, or the signal's reason. */
    async unpack(request: UnpackRequest, signal: AbortSignal): Promise<void> {
      signal.throwIfAborted();
      await takeTurn(request);
      try {
        await unpackLayer(request, send, signal);
      } finally {
        busy--;
        freed.resolve();
        freed = Promise.withResolvers();
        if (busy === 0) cancelRetirement = clock.after(idleMs, () => void retire());
      }
    },
    close: retire,
  };
}

function startThread(): Worker {
  const file = new URL(`./unpack-worker${extname(import.meta.url)}`, import.meta.url);
  const worker = new Worker(file, { resourceLimits });
  worker.unref();
  return worker;
}

type Sent = Pick<StreamCall, 'layer' | 'pipe'>;

/** Rejects if the thread ends. */
async function callThread(worker: Worker, call: Sent, signal: AbortSignal) {
  const { port1: ours, port2: port } = new MessageChannel();
  const stop = new SharedArrayBuffer(4);
  const onAbort = () => void Atomics.store(new Int32Array(stop), 0, 1);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const onEnd = (cause: unknown) =>
    reject(new ImageError('StorageFailed', 'the unpacking thread ended', { cause }));
  worker.once('error', onEnd).once('exit', onEnd);
  worker.postMessage({ ...call, stop, port } satisfies StreamCall, [port]);
  try {
    const [outcome] = await Promise.race([once(ours, 'message'), ended]);
    return outcome as StreamOutcome;
  } finally {
    worker.off('error', onEnd).off('exit', onEnd);
    signal.removeEventListener('abort', onAbort);
    ours.close();
  }
}
