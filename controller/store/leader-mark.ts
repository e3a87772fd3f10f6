import type { Clock } from '../../base/clock.ts';
import { beatKey, leaderKey } from './keys.ts';
import type { CommitOutcome, Store, Transaction } from './store.ts';

/**
 * How it is known in a shared store who leads, without its clock: the leader's key, and beside it one that the leader
 * writes again and again. Who has seen neither change for long enough, by its own clock, may take both, if they still are
 * as it saw them.
 */
export interface LeaderMark {
  /** The revision of the leader's key; 0: nobody leads. */
  readonly leader: number;
  /** That of its last beat. */
  readonly beat: number;
}

/** So long a leader is silent before another one takes over. An election among etcd's members (1 to 2 s) deposes nobody. */
export const usualSilenceMs = 4000;

/** Three may be lost. */
export const beatEveryMs = (silenceMs = usualSilenceMs): number => silenceMs / 4;

interface Listening {
  readonly silenceMs?: number | undefined;
  readonly store: Store;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The revision of a key that the listener took itself, and no longer leads by. */
  readonly own?: number | undefined;
}

/** What a leader left that is silent or has gone; undefined: the signal aborted first. */
export async function untilSilent(by: Listening): Promise<LeaderMark | undefined> {
  const { store, clock, signal, own, silenceMs: ms = usualSilenceMs } = by;
  const silent = new AbortController();
  let cancel = () => {};
  const heard = () => {
    cancel();
    cancel = clock.after(ms, () => silent.abort());
  };
  try {
    // Changes since then come once more: a mark that is read meanwhile only gets newer.
    const after = await store.revision();
    let mark = await readMark(store);
    if (mark.leader === 0 || mark.leader === own) return mark;
    heard();
    const ending = AbortSignal.any([signal, silent.signal]);
    for await (const changes of store.watch(leaderKey, { after, signal: ending })) {
      heard();
      for (const { key, kind, revision } of changes) {
        const now = kind === 'put' ? revision : 0;
        mark = key === leaderKey ? { ...mark, leader: now } : { ...mark, beat: now };
      }
      if (mark.leader === 0) return mark;
    }
    return signal.aborted ? undefined : mark;
  } finally {
    cancel();
  }
}

/** For one that has the store to itself: there is nobody to listen to. */
export async function readMark(store: Store): Promise<LeaderMark> {
  const [leader, beat] = await Promise.all([store.get(leaderKey), store.get(beatKey)]);
  return { leader: leader?.revision ?? 0, beat: beat?.revision ?? 0 };
}

/** A transaction that makes `candidate` the leader, if the mark is still the one that was left. */
export const taking = ({ leader, beat }: LeaderMark, candidate: string): Transaction => ({
  expect: [
    { key: leaderKey, revision: leader },
    { key: beatKey, revision: beat },
  ],
  puts: [leaderKey, beatKey].map((key) => ({ key, value: Buffer.from(candidate) })),
  deletes: [],
});

/** Not committed: somebody else leads. @param leader the revision at which the key was taken */
export const beat = (store: Store, leader: number, candidate: string): Promise<CommitOutcome> =>
  store.commit({
    expect: [{ key: leaderKey, revision: leader }],
    puts: [{ key: beatKey, value: Buffer.from(candidate) }],
    deletes: [],
  });

/** Gives the key back, so that another one begins at once. */
export const leaveMark = (store: Store, leader: number): Promise<CommitOutcome> =>
  store.commit({
    expect: [{ key: leaderKey, revision: leader }],
    puts: [],
    deletes: [leaderKey, beatKey],
  });
