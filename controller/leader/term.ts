import type { Clock } from '../../base/clock.ts';
import { leaderKey } from '../store/keys.ts';
import { type Store, StoreError } from '../store/store.ts';
import type { Claim } from './claim.ts';

/** Leadership, from its beginning to its end. */
export interface Term extends Claim {
  /** Asks the clock: a process that was held up knows at once that its time is over. */
  holds(): boolean;
  /** Aborts at the end, before another one can have taken over. */
  readonly signal: AbortSignal;
  end(reason: string): void;
}

export interface RunningTerm extends Term {
  /** Monotonic milliseconds. */
  extend(until: number): void;
}

export interface TermOptions extends Claim {
  readonly clock: Clock;
  /** Monotonic milliseconds; infinity: only `parent` ends it. */
  readonly until: number;
  /** Its end is the term's too. */
  readonly parent: AbortSignal;
}

export function beginTerm({ epoch, revision, clock, until, parent }: TermOptions): RunningTerm {
  const ending = new AbortController();
  let deadline = until;
  let cancel = () => {};
  const end = (reason: string) => {
    cancel();
    parent.removeEventListener('abort', onParent);
    ending.abort(reason);
  };
  const onParent = () => end('the controller is stopping');
  const extend = (later: number) => {
    cancel();
    if (ending.signal.aborted) return;
    deadline = later;
    if (later === Number.POSITIVE_INFINITY) return;
    const leftMs = Math.max(0, later - clock.monotonic());
    cancel = clock.after(leftMs, () => end('its beats were not acknowledged in time'));
  };
  parent.addEventListener('abort', onParent, { once: true });
  extend(until);
  return {
    epoch,
    revision,
    signal: ending.signal,
    holds: () => !ending.signal.aborted && clock.monotonic() < deadline,
    end,
    extend,
  };
}

/** The store for a leader's own writes: each expects that its key is still there, as it took it. */
export function fencedStore(store: Store, term: Term): Pick<Store, 'get' | 'commit'> {
  const fence = { key: leaderKey, revision: term.revision };
  return {
    get: (key) => store.get(key),
    async commit(transaction) {
      const outcome = await store.commit({
        ...transaction,
        expect: [fence, ...transaction.expect],
      });
      if (outcome.committed || outcome.key !== leaderKey) return outcome;
      term.end('another controller leads');
      throw new StoreError('Deposed', 'this controller no longer leads');
    },
  };
}
