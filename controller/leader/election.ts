import { backoffMs, withJitter } from '../../base/backoff.ts';
import type { Base } from '../../base/base.ts';
import { sleep } from '../../base/clock.ts';
import { orAborted } from '../../base/deadline.ts';
import * as mark from '../store/leader-mark.ts';
import type { Store } from '../store/store.ts';
import { beginTerm, type Claim, claimLeadership, type RunningTerm, type Term } from './term.ts';

export interface ElectionOptions extends Base {
  readonly store: Store;
  /** Who stands, for people. */
  readonly candidate: string;
  /** Nobody else can have the store open: a predecessor's key is taken over at once, and no stall ends the term. */
  readonly isAlone: boolean;
  /** So long a leader is silent before another one takes over: 4 seconds, if nothing is said. The same for all of them. */
  readonly silenceMs?: number | undefined;
  /** Leads until the term's signal aborts; resolves when nothing of it is left. */
  readonly lead: (term: Term) => Promise<void>;
}

/** A leader whose beats aren't acknowledged stops so long before a follower can take over: room for clocks of unlike speed. */
const marginMs = 500;

/** From the asking of a beat that was acknowledged. */
const standsFor = ({ silenceMs: ms = mark.usualSilenceMs }: ElectionOptions) => ms - marginMs;

const retry = { firstMs: 100, capMs: 1000 };

/**
 * One of the controllers on a store leads: the one whose key is there. The others watch that key and stand when it goes.
 * Returns stop: a leader ends its term first and gives the key back, so that another one begins at once.
 */
export function standForElection(options: ElectionOptions): () => Promise<void> {
  const stopping = new AbortController();
  const running = run(options, stopping.signal);
  return () => {
    stopping.abort(new Error('the controller is stopping'));
    return running;
  };
}

async function run(options: ElectionOptions, signal: AbortSignal): Promise<void> {
  const { clock, rng, log, store, isAlone } = options;
  let own: number | undefined;
  for (let failures = 0; !signal.aborted; ) {
    try {
      const left = isAlone
        ? await mark.readMark(store)
        : await mark.untilSilent({ ...options, signal, own });
      if (left && !signal.aborted) own = await stand(options, left, signal);
      failures = 0;
    } catch (err) {
      if (signal.aborted) return;
      const retryInMs = withJitter(backoffMs(retry, ++failures), rng);
      log.warn({ err, component: 'leader', retryInMs }, 'standing for election failed');
      await sleep(clock, retryInMs, signal).catch(() => undefined);
    }
  }
}

/** One try, and the term that it may win. Returns the key's revision if it could not be given back. */
async function stand(options: ElectionOptions, left: mark.LeaderMark, signal: AbortSignal) {
  const { store, clock, isAlone, candidate } = options;
  const askedAt = clock.monotonic();
  const claim = await claimLeadership(store, left, candidate);
  if (!claim) return undefined;
  const until = isAlone ? Number.POSITIVE_INFINITY : askedAt + standsFor(options);
  let own: number | undefined;
  try {
    if (!signal.aborted)
      await serve(options, beginTerm({ ...claim, clock, until, parent: signal }));
  } finally {
    own = await giveBack(options, claim);
  }
  return own;
}

async function giveBack({ store, log }: ElectionOptions, { revision }: Claim) {
  try {
    await mark.leaveMark(store, revision);
    return undefined;
  } catch (err) {
    log.debug({ err, component: 'leader' }, 'the key could not be given back');
    return revision;
  }
}

async function serve(options: ElectionOptions, term: RunningTerm): Promise<void> {
  const { epoch } = term;
  options.log.info({ component: 'leader', epoch }, 'leading');
  const beating = options.isAlone ? undefined : keepBeating(options, term);
  try {
    await options.lead(term);
  } finally {
    term.end('it was given up');
    await beating;
    const reason = String(term.signal.reason);
    options.log.warn({ component: 'leader', epoch, reason }, 'no longer leading');
  }
}

async function keepBeating(options: ElectionOptions, term: RunningTerm): Promise<void> {
  const { store, clock, log, candidate, silenceMs } = options;
  let askedAt = clock.monotonic();
  for (;;) {
    const restMs = Math.max(0, askedAt + mark.beatEveryMs(silenceMs) - clock.monotonic());
    await sleep(clock, restMs, term.signal).catch(() => undefined);
    if (term.signal.aborted) return;
    askedAt = clock.monotonic();
    try {
      const beating = mark.beat(store, term.revision, candidate);
      const { committed } = await orAborted(beating, term.signal);
      if (committed) term.extend(askedAt + standsFor(options));
      else term.end('another controller leads');
    } catch (err) {
      log.debug({ err, component: 'leader' }, 'a beat was not acknowledged');
    }
  }
}
