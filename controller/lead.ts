import { once } from 'node:events';
import type { Base } from '../base/base.ts';
import type { Metrics } from '../base/metrics.ts';
import { admitting } from './admission/admit.ts';
import type { Dispatcher } from './dispatcher/dispatcher.ts';
import { announceLeader } from './leader/announce.ts';
import { fencedStore, type Term } from './leader/term.ts';
import { keepCompacted } from './store/compaction.ts';
import { eventRecorder } from './store/event-recorder.ts';
import type { Loop } from './store/loop.ts';
import type { ObjectCodec } from './store/object-codec.ts';
import { openObjects } from './store/object-store.ts';
import type { Cache } from './store/objects.ts';
import { runLoops } from './store/run-loops.ts';
import type { Store } from './store/store.ts';

export interface LeadDeps extends Base {
  readonly store: Store;
  readonly codec: ObjectCodec;
  readonly cache: Cache;
  readonly loops: readonly Loop[];
  readonly dispatcher: Dispatcher;
  /** Who leads, for people. */
  readonly candidate: string;
  readonly metrics: Metrics;
}

/** All that only the leader does, until its term ends. What it writes is fenced. */
export async function lead(deps: LeadDeps, term: Term): Promise<void> {
  const { store, cache, clock, log } = deps;
  // Nothing is planned before all that was written in the terms before is known.
  await cache.reached(term.revision, term.signal);
  const fenced = openObjects({ ...deps, store: fencedStore(store, term) });
  const objects = admitting({ ...deps, objects: fenced });
  const recordEvent = eventRecorder({ ...deps, objects });
  deps.metrics.gauge('orc_leading', 'Whether this controller leads.', {
    read: () => Number(term.holds()),
  });
  await using work = new AsyncDisposableStack();
  work.defer(keepCompacted(store, clock, log));
  work.defer(announceLeader({ ...deps, objects }, deps.candidate));
  const running = runLoops(deps.loops, { ...deps, objects, recordEvent });
  work.defer(() => running.stop());
  const { epoch, holds } = term;
  work.defer(deps.dispatcher.lead({ objects, recordEvent, epoch, holds }));
  if (!term.signal.aborted) await once(term.signal, 'abort');
}
