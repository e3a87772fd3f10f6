import type { AnyObject, Kind } from '../../api/kind.ts';
import { hasReason } from '../../api/status.ts';
import { repeat } from '../../base/clock.ts';
import type { Metrics } from '../../base/metrics.ts';
import { runReconciler } from '../../base/run-reconciler.ts';
import { ownEvents, type RecordEvent } from './event-recorder.ts';
import { keyOf } from './keys.ts';
import type { Loop, LoopDeps } from './loop.ts';
import type { ObjectChange } from './objects.ts';
import { ownWrites } from './own-writes.ts';

export interface RunLoopsDeps extends Omit<LoopDeps, 'signal' | 'runningSince' | 'events'> {
  readonly recordEvent: RecordEvent;
  readonly metrics?: Metrics | undefined;
}

export type RunningLoops = ReturnType<typeof runLoops>;

const backoff = { firstMs: 20, capMs: 30_000 };

/** A safety net: what no change wakes is looked at again after this time. */
const resyncIntervalMs = 10 * 60_000;

export function runLoops(loops: readonly Loop[], deps: RunLoopsDeps) {
  const runningSince = deps.clock.now();
  const stops = loops.map((loop) => runLoop(loop, { ...deps, runningSince }));
  return {
    async stop() {
      await Promise.all(stops.map((stop) => stop()));
    },
  };
}

/** Returns stop. */
function runLoop(loop: Loop, deps: RunLoopsDeps & { readonly runningSince: number }) {
  const { cache, clock } = deps;
  const component = loop.name;
  const log = deps.log.child({ component });
  const events = ownEvents(component, deps.recordEvent);
  const reconciler = runReconciler<string>({
    ...{ ...deps, log, backoff, name: loop.name, workers: loop.workers },
    /** A pass that plans on a cache from before its own last writes would do things twice. */
    async reconcile(key, signal) {
      const { objects, newestRevision } = ownWrites(deps.objects);
      try {
        return await loop.reconcile(key, { ...deps, log, events, objects, signal });
      } finally {
        await cache.reached(await newestRevision(), signal);
      }
    },
    // Someone else was faster; their change wakes the key.
    isExpected: (error) => hasReason(error, 'Conflict', 'NotFound'),
  });
  const wake = (change: ObjectChange) => {
    for (const key of loop.wakes(change, cache)) reconciler.wake(key);
  };
  const presentAll = () => {
    for (const kind of cache.kinds.all)
      for (const object of cache.list(kind)) wake(asChange(kind, object));
  };
  const unsubscribe = cache.onChange(wake);
  presentAll();
  const stopResync = repeat(clock, resyncIntervalMs, presentAll);
  return async () => {
    unsubscribe();
    await stopResync();
    await reconciler.stop();
  };
}

function asChange(kind: Kind, object: AnyObject): ObjectChange {
  const revision = Number(object.metadata.resourceVersion);
  return { kind, key: keyOf(object), revision, object, previous: undefined };
}
