import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { Clock } from '../../base/clock.ts';
import { ImageError } from './image-error.ts';
import type { UnpackRequest } from './unpack-layer.ts';
import type { UnpackCall, UnpackOutcome } from './unpack-worker.ts';

/** A thread takes 100 ms to start and some MB to keep. */
const idleMs = 30_000;

export type Unpacker = ReturnType<typeof openUnpacker>;

/**
 * Unpacks layers in threads of their own, one for each processor if there is so much to do: hashing and parsing them would
 * hold up everything else. The threads start with the first layers and end when there was none for a while. Idle, they keep
 * no process alive.
 */
export function openUnpacker(clock: Clock) {
  const threads = new Set<Thread>();
  let cancelRetirement = () => {};
  const retire = async () => {
    cancelRetirement();
    const idle = [...threads];
    threads.clear();
    await Promise.all(idle.map(({ worker }) => worker.terminate()));
  };
  const start = (): Thread => {
    const started = startThread();
    threads.add(started);
    started.ended.catch(() => threads.delete(started));
    return started;
  };
  const leastBusy = (): Thread => {
    const [first] = [...threads].sort((a, b) => a.busy - b.busy);
    const isEnough = first?.busy === 0 || threads.size >= availableParallelism();
    return first && isEnough ? first : start();
  };
  return {
    /** Throws ImageError, or the signal's reason. */
    async unpack(request: UnpackRequest, signal: AbortSignal): Promise<void> {
      signal.throwIfAborted();
      cancelRetirement();
      const thread = leastBusy();
      thread.busy++;
      try {
        await callThread(thread, request, signal);
      } finally {
        thread.busy--;
        if (threads.values().every(({ busy }) => busy === 0))
          cancelRetirement = clock.after(idleMs, () => void retire());
      }
    },
    close: retire,
  };
}

interface Thread {
  readonly worker: Worker;
  /** Rejects when the thread has ended, whatever the cause. */
  readonly ended: Promise<never>;
  /** How many layers it is at. */
  busy: number;
}

function startThread(): Thread {
  const worker = new Worker(new URL(`./unpack-worker${extname(import.meta.url)}`, import.meta.url));
  worker.unref();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = (cause: unknown) =>
    reject(new ImageError('StorageFailed', 'the unpacking thread ended', { cause }));
  worker.on('error', end).on('exit', end);
  return { worker, ended, busy: 0 };
}

async function callThread(
  { worker, ended }: Thread,
  request: UnpackRequest,
  signal: AbortSignal,
): Promise<void> {
  const { port1: ours, port2: port } = new MessageChannel();
  const outcome = once(ours, 'message') as Promise<[UnpackOutcome]>;
  const onAbort = () => ours.postMessage('abort');
  signal.addEventListener('abort', onAbort, { once: true });
  worker.postMessage({ request, port } satisfies UnpackCall, [port]);
  try {
    const [error] = await Promise.race([outcome, ended]);
    if (error !== undefined) throw new ImageError(error.reason, error.message);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    ours.close();
  }
}
