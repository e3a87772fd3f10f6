import type { Base } from '../../base/base.ts';
import type { OwnEvents } from './event-recorder.ts';
import type { Cache, ObjectChange, Objects } from './objects.ts';

/** A loop of the controller: what wakes it, and what it then does. run-loops.ts runs it. */
export interface Loop {
  /** Also names it as the component of its events. */
  readonly name: string;
  /** Distinct keys at the same time. */
  readonly workers: number;
  /** The keys that this change may concern. At the start every object is presented as a change. Pure. */
  wakes(change: ObjectChange, cache: Cache): readonly string[];
  /** Observe → plan → apply → status. A lost compare-and-swap may be thrown: the change that won wakes the key anyway. */
  reconcile(key: string, deps: LoopDeps): Promise<number | void>;
}

export interface LoopDeps extends Base {
  /** What is written through these is in the cache before the key is reconciled again. */
  readonly objects: Objects;
  readonly cache: Cache;
  readonly events: OwnEvents;
  readonly signal: AbortSignal;
  /** When this process began to run the loops, milliseconds since 1970: silence from before doesn't count. */
  readonly runningSince: number;
}
