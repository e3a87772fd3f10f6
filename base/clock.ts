/** The only door to time and timers. Tests pass one of their own and move it by hand. */
export interface Clock {
  /** Wall clock, milliseconds since 1970: for timestamps that users see. */
  now(): number;
  /** Milliseconds that never go back: for timeouts, leases and back-off. */
  monotonic(): number;
  /** Runs `fn` once after `ms`, or after 24 days if that is less; the returned function cancels it. */
  after(ms: number, fn: () => void): () => void;
}

/** What is longer overflows a timer's 32 bits and fires at once: a loop that waits for a far deadline would spin. */
const longestTimerMs = 24 * 24 * 60 * 60 * 1000;

export const systemClock = (): Clock => ({
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, Math.min(ms, longestTimerMs));
    return () => clearTimeout(timer);
  },
});

/** Resolves after `ms`, or rejects with the signal's reason as soon as it aborts. */
export const sleep = (clock: Clock, ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });

/**
 * Runs `task` again and again, each time `ms` after the last has ended. It tells of its own failures. Returns stop,
 * which resolves when the run under way has ended.
 */
export function repeat(clock: Clock, ms: number, task: () => Promise<void> | void) {
  let stopped = false;
  let cancel = () => {};
  let underWay = Promise.resolve();
  const run = async () => {
    await task();
    if (!stopped) next();
  };
  const next = () => {
    cancel = clock.after(ms, () => {
      underWay = run();
    });
  };
  next();
  return () => {
    stopped = true;
    cancel();
    return underWay;
  };
}

/** RFC 3339 with whole seconds, as Kubernetes' metav1.Time. */
export const formatTime = (ms: number) => new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');

/** RFC 3339 with microseconds, as Kubernetes' metav1.MicroTime. */
export const formatMicroTime = (ms: number) => new Date(ms).toISOString().replace(/Z$/, '000Z');
