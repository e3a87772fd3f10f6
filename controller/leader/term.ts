import type { Clock } from '../../base/clock.ts';
import { epochKey, leaderKey } from '../store/keys.ts';
import { type LeaderMark, taking } from '../store/leader-mark.ts';
import { type Store, StoreError } from '../store/store.ts';

/** What the store says of a leader at its beginning. */
export interface Claim {
  /**
   * Higher than that of every leader before. What it assigns is newer than all that a deposed one still says, whatever
   * the store's revision: agents compare the epoch first.
   */
  readonly epoch: number;
  /** That of the leader's key, for as long as it leads. */
  readonly revision: number;
}

/** Takes the key and the next epoch in one transaction; undefined: somebody else was faster. */
export async function claimLeadership(store: Store, left: LeaderMark, candidate: string) {
  const last = await store.get(epochKey);
  const epoch = Number(Buffer.from(last?.value ?? '0').toString()) + 1;
  const { expect, puts, deletes } = taking(left, candidate);
  const outcome = await store.commit({
    expect: [...expect, { key: epochKey, revision: last?.revision ?? 0 }],
    puts: [...puts, { key: epochKey, value: Buffer.from(String(epoch)) }],
    deletes,
  });
  return outcome.committed ? { epoch, revision: outcome.revision } : undefined;
}

/** Leadership, from its beginning to its end. */
export interface Term extends Claim {
  /** Asks the clock: a process that was held up knows at once that its time is over. */
  holds(): boolean;
  /** Aborts at the end, before another one can have taken over. */
  readonly signal: AbortSignal;
  end(reason: string): void;
}

interface TermOptions extends Claim {
  readonly clock: Clock;
  /** Monotonic milliseconds; infinity: only `parent` ends it. */
  readonly until: number;
  /** Its end is the term's too. */
  readonly parent: AbortSignal;
}

export type RunningTerm = ReturnType<typeof beginTerm>;

export function beginTerm({ epoch, revision, clock, until, parent }: TermOptions) {
  const ending = new AbortController();
  let deadline = until;
  let cancel = () => {};
  const end = (reason: string) => {
    cancel();
    parent.removeEventListener('abort', onParent);
    ending.abort(reason);
  };
  const onParent = () => end('the controller is stopping');
  /** To monotonic milliseconds. */
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
  const holds = () => !ending.signal.aborted && clock.monotonic() < deadline;
  return { epoch, revision, signal: ending.signal, holds, end, extend };
}

/** The store for a leader's own writes: each expects that its key is still there, as it took it. */
export function fencedStore(store: Store, term: Term): Pick<Store, 'get' | 'commit'> {
  const fence = { key: leaderKey, revision: term.revision };
  return {
    get: (key) => store.get(key),
    async commit(transaction) {
      const expect = [fence, ...transaction.expect];
      const outcome = await store.commit({ ...transaction, expect });
      if (outcome.committed || outcome.key !== leaderKey) return outcome;
      term.end('another controller leads');
      throw new StoreError('Deposed', 'this controller no longer leads');
    },
  };
}
