import { type BackoffPolicy, backoffMs, withJitter } from './backoff.ts';
import type { Base } from './base.ts';
import type { Clock } from './clock.ts';
import type { Metrics } from './metrics.ts';
import { workQueue } from './work-queue.ts';

/** What a reconcile says when it has nothing to add: wake me when something changes. */
export const settled = Symbol('settled');
export type Settled = typeof settled;
export interface RequeueAfter {
  readonly requeueAfterMs: number;
}

/** Observe → plan → apply → write status, for one key. Throwing means: again, after a back-off. */
export type Reconcile<K> = (key: K, signal: AbortSignal) => Promise<Settled | RequeueAfter>;

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
  const queue = workQueue<K>();
  /** Told at the wake, not when a worker gets to it: two wakes in one turn must not reach two workers. */
  const states = new Map<K, 'queued' | 'running' | 'woken again'>();
  const failures = new Map<K, number>();
  const stopping = new AbortController();
  const alarms = alarmsOf<K>(clock, (key) => wake(key));

  const enqueue = (key: K) => {
    states.set(key, 'queued');
    queue.add(key);
  };

  const wake = (key: K) => {
    if (stopping.signal.aborted) return;
    const state = states.get(key);
    if (state === undefined) enqueue(key);
    else if (state === 'running') states.set(key, 'woken again');
  };

  const labels = { loop: options.name };
  const countPass = (result: string) =>
    options.metrics?.count('orc_reconcile_total', 'Passes of loops.', { ...labels, result });
  options.metrics?.gauge('orc_reconcile_waiting', 'Keys in the queue of a loop.', {
    labels,
    read: () => queue.size,
  });

  const pass = async (key: K) => {
    alarms.cancel(key);
    try {
      const outcome = await reconcile(key, stopping.signal);
      countPass('success');
      failures.delete(key);
      if (outcome !== settled) alarms.set(key, outcome.requeueAfterMs);
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

  const work = async () => {
    for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
      states.set(key, 'running');
      await pass(key);
      const wasWoken = states.get(key) === 'woken again';
      states.delete(key);
      if (wasWoken) wake(key);
    }
  };
  const workers = Array.from({ length: options.workers }, work);

  return {
    wake,
    async stop() {
      stopping.abort(new Error(`${options.name} is stopping`));
      queue.close();
      await Promise.all(workers);
      // The last passes may have set some.
      alarms.cancelAll();
    },
  };
}

/** At most one for each key. */
interface Alarms<K> {
  set(key: K, ms: number): void;
  cancel(key: K): void;
  cancelAll(): void;
}

function alarmsOf<K>(clock: Clock, ring: (key: K) => void): Alarms<K> {
  const cancels = new Map<K, () => void>();
  const cancel = (key: K) => {
    cancels.get(key)?.();
    cancels.delete(key);
  };
  return {
    cancel,
    set(key, ms) {
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
