import { type BackoffPolicy, backoffMs, withJitter } from './backoff.ts';
import type { Base } from './base.ts';
import type { Clock } from './clock.ts';
import type { Metrics } from './metrics.ts';

/**
 * Observe → plan → apply → write status, for one key. Says in how many milliseconds it wants to be run again, or nothing:
 * when something changes. Throwing means: again, after a back-off.
 */
export type Reconcile<K> = (key: K, signal: AbortSignal) => Promise<number | void>;

export interface ReconcilerOptions<K> extends Base {
  readonly name: string;
  readonly reconcile: Reconcile<K>;
  /** Distinct keys that run at the same time; one key never runs twice at once. */
  readonly workers: number;
  readonly backoff: BackoffPolicy;
  readonly metrics?: Metrics | undefined;
  /** True for an outcome that is everyday business (a lost compare-and-swap): retried, not warned about. */
  readonly isExpected?: (error: unknown) => boolean;
}

export interface Reconciler<K> {
  /** Asks for a pass over this key: now, or right after the one under way. */
  wake(key: K): void;
  /** Starts no new pass, aborts those under way, and resolves when they have ended. */
  stop(): Promise<void>;
}

/** The one loop runner: for the controller's loops and for the agent's pod workers. Keys compare with `===`. */
export function runReconciler<K>(options: ReconcilerOptions<K>): Reconciler<K> {
  const { reconcile, clock, rng, log } = options;
  /** To be run, and those that run; a key that is woken meanwhile runs again afterwards. */
  const waiting = new Set<K>();
  const running = new Map<K, Promise<void>>();
  const wokenAgain = new Set<K>();
  const failures = new Map<K, number>();
  const stopping = new AbortController();
  const alarms = alarmsOf<K>(clock, (key) => wake(key));

  const wake = (key: K) => {
    if (stopping.signal.aborted) return;
    if (running.has(key)) wokenAgain.add(key);
    else waiting.add(key);
    // Not at once: whoever wakes goes on first, and may wake it again.
    queueMicrotask(startPasses);
  };

  const startPasses = () => {
    for (const key of waiting) {
      if (running.size >= options.workers) return;
      waiting.delete(key);
      running.set(key, Promise.resolve(key).then(run));
    }
  };

  const run = async (key: K) => {
    await pass(key);
    running.delete(key);
    if (wokenAgain.delete(key)) wake(key);
    startPasses();
  };

  const countPass = countPasses(options, () => waiting.size);
  const pass = async (key: K) => {
    alarms.cancel(key);
    try {
      const againInMs = await reconcile(key, stopping.signal);
      countPass('success');
      failures.delete(key);
      if (typeof againInMs === 'number') alarms.set(key, againInMs);
    } catch (err) {
      if (stopping.signal.aborted) return;
      countPass(options.isExpected?.(err) ? 'conflict' : 'error');
      const attempt = (failures.get(key) ?? 0) + 1;
      failures.set(key, attempt);
      const retryInMs = withJitter(backoffMs(options.backoff, attempt), rng);
      const level = options.isExpected?.(err) ? 'debug' : 'warn';
      log[level]({ err, component: options.name, key: String(key), retryInMs }, 'reconcile failed');
      alarms.set(key, retryInMs);
    }
  };

  return {
    wake,
    async stop() {
      stopping.abort(new Error(`${options.name} is stopping`));
      waiting.clear();
      await Promise.all(running.values());
      // The last passes may have set some.
      alarms.cancelAll();
    },
  };
}

/** Returns what to call for each pass. */
function countPasses<K>({ name, metrics }: ReconcilerOptions<K>, waiting: () => number) {
  const labels = { loop: name };
  const of = { labels, read: waiting };
  metrics?.gauge('orc_reconcile_waiting', 'Keys in the queue of a loop.', of);
  return (result: string) =>
    metrics?.count('orc_reconcile_total', 'Passes of loops.', { ...labels, result });
}

/** At most one for each key. */
function alarmsOf<K>(clock: Clock, ring: (key: K) => void) {
  const cancels = new Map<K, () => void>();
  const cancel = (key: K) => {
    cancels.get(key)?.();
    cancels.delete(key);
  };
  return {
    cancel,
    set(key: K, ms: number) {
      cancel(key);
      const onTime = () => {
        cancels.delete(key);
        ring(key);
      };
      cancels.set(key, clock.after(ms, onTime));
    },
    cancelAll() {
      for (const key of [...cancels.keys()]) cancel(key);
    },
  };
}
