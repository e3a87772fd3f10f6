import type { Clock } from './clock.ts';

export class DeadlineExceeded extends Error {
  override readonly name = 'DeadlineExceeded';
}

/** Runs `fn` with a signal that aborts after `ms`, or with `parent`; rejects then even if `fn` doesn't heed it. */
export async function withDeadline<T>(
  limit: { clock: Clock; ms: number; what: string; parent?: AbortSignal },
  fn: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const abort = (reason: unknown) => controller.abort(reason);
  const onParent = () => abort(limit.parent?.reason);
  if (limit.parent?.aborted) onParent();
  limit.parent?.addEventListener('abort', onParent, { once: true });
  const cancel = limit.clock.after(limit.ms, () =>
    abort(new DeadlineExceeded(`${limit.what}: no answer within ${limit.ms} ms`)),
  );
  try {
    return await orAborted(fn(controller.signal), controller.signal);
  } finally {
    cancel();
    limit.parent?.removeEventListener('abort', onParent);
  }
}

/** The promise's outcome, or the signal's reason if that comes first. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** All at once. The first failure aborts the others' signal, and is thrown when they have ended. */
export async function together(
  signal: AbortSignal,
  works: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const running = works.map((work) => work(either));
  try {
    await Promise.all(running);
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(running);
    throw error;
  }
}
