import type { Kind } from '../../api/kind.ts';
import { hasReason } from '../../api/status.ts';
import { repeat } from '../../base/clock.ts';
import type { Metrics } from '../../base/metrics.ts';
import { runReconciler } from '../../base/run-reconciler.ts';
import type { ObjectChange } from './cache.ts';
import { ownEvents, type RecordEvent } from './event-recorder.ts';
import type { Loop, LoopDeps } from './loop.ts';
import { ownWrites } from './own-writes.ts';

export interface RunLoopsDeps extends Omit<LoopDeps, 'signal' | 'runningSince' | 'events'> {
  readonly recordEvent: RecordEvent;
  /** Every kind that is in the cache. */
  readonly kinds: readonly Kind[];
  readonly metrics?: Metrics | undefined;
}

export interface RunningLoops {
  stop(): Promise<void>;
}

const backoff = { firstMs: 20, capMs: 30_000 };

/** A safety net: what no change wakes is looked at again after this time. */
const resyncIntervalMs = 10 * 60_000;

export function runLoops(loops: readonly Loop[], deps: RunLoopsDeps): RunningLoops {
  const runningSince = deps.clock.now();
  const running = loops.map((loop) => runLoop(loop, { ...deps, runningSince }));
  return {
    async stop() {
      await Promise.all(running.map((loop) => loop.stop()));
    },
  };
}

function runLoop(loop: Loop, deps: RunLoopsDeps & { readonly runningSince: number }): RunningLoops {
  const { cache, clock, rng } = deps;
  const component = loop.name;
  const log = deps.log.child({ component });
  const events = ownEvents(component, deps.recordEvent);
  const reconciler = runReconciler<string>({
    name: loop.name,
    workers: loop.workers,
    reconcile: (key, signal) =>
      reconcileOnce({ loop, deps: { ...deps, log, events }, key, signal }),
    backoff,
    clock,
    rng,
    log,
    metrics: deps.metrics,
    // Someone else was faster; their change wakes the key.
    isExpected: (error) => hasReason(error, 'Conflict', 'NotFound'),
  });
  const wake = (change: ObjectChange) => {
    for (const key of loop.wakes(change, cache)) reconciler.wake(key);
  };
  const unsubscribe = cache.onChange(wake);
  const stopResync = resyncing(wake, deps);
  return {
    async stop() {
      unsubscribe();
      await stopResync();
      await reconciler.stop();
    },
  };
}

interface Pass {
  readonly loop: Loop;
  readonly deps: Omit<LoopDeps, 'signal'>;
  readonly key: string;
  readonly signal: AbortSignal;
}

/** A pass that plans on a cache from before its own last writes would do things twice. */
async function reconcileOnce({ loop, deps, key, signal }: Pass) {
  const { objects, newestRevision } = ownWrites(deps.objects);
  try {
    return await loop.reconcile(key, { ...deps, objects, signal });
  } finally {
    await deps.cache.reached(await newestRevision(), signal);
  }
}

/** Presents everything that exists, now and from time to time. */
function resyncing(wake: (change: ObjectChange) => void, deps: RunLoopsDeps): () => Promise<void> {
  const present = () => {
    for (const change of presentState(deps)) wake(change);
  };
  present();
  return repeat(deps.clock, resyncIntervalMs, present);
}

function presentState({ cache, kinds }: RunLoopsDeps): readonly ObjectChange[] {
  return kinds.flatMap((kind) =>
    cache.list(kind).map((object): ObjectChange => {
      const { namespace = '', name, resourceVersion } = object.metadata;
      const key = { namespace, name };
      return { kind, key, revision: Number(resourceVersion), object, previous: undefined };
    }),
  );
}
