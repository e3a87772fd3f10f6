import { backoffMs, withJitter } from '../../base/backoff.ts';
import type { Base } from '../../base/base.ts';
import { sleep } from '../../base/clock.ts';
import { withDeadline } from '../../base/deadline.ts';
import { leaderKey } from '../store/keys.ts';
import type { Store } from '../store/store.ts';
import { claimLeadership } from './claim.ts';
import { beginTerm, type RunningTerm, type Term } from './term.ts';

export interface ElectionOptions extends Base {
  readonly store: Store;
  /** Who stands, for people. */
  readonly candidate: string;
  /** Nobody else can have the store open: a predecessor's key is taken over at once, and no stall ends the term. */
  readonly isAlone: boolean;
  /** Leads until the term's signal aborts; resolves when nothing of it is left. */
  readonly lead: (term: Term) => Promise<void>;
}

/** The store's lease. A follower hears of a leader's sudden end when it has run out. */
const leaseMs = 3000;
/** A leader that could not renew stops so long before the lease can have run out: room for clocks of unlike speed. */
const marginMs = 500;
const renewEveryMs = 500;
const renewLimitMs = 1000;

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
  for (let failures = 0; !signal.aborted; ) {
    try {
      if (!isAlone) await untilVacant(store, signal);
      if (!signal.aborted) await stand(options, signal);
      failures = 0;
    } catch (err) {
      if (signal.aborted) return;
      const retryInMs = withJitter(backoffMs(retry, ++failures), rng);
      log.warn({ err, component: 'leader', retryInMs }, 'standing for election failed');
      await sleep(clock, retryInMs, signal).catch(() => undefined);
    }
  }
}

/** Watches from before it looks, so that no end is missed. */
async function untilVacant(store: Store, signal: AbortSignal): Promise<void> {
  const after = await store.revision();
  if (!(await store.get(leaderKey))) return;
  for await (const changes of store.watch(leaderKey, { after, signal }))
    if (changes.some(({ kind }) => kind === 'delete')) return;
}

/** One try, and the term that it may win. However it ends, its lease goes, and with that its key. */
async function stand(options: ElectionOptions, signal: AbortSignal): Promise<void> {
  const { store, clock, log, isAlone } = options;
  const askedAt = clock.monotonic();
  const lease = isAlone ? undefined : await store.grantLease(leaseMs);
  try {
    const claim = await claimLeadership(options, lease);
    if (!claim || signal.aborted) return;
    const until = lease === undefined ? Number.POSITIVE_INFINITY : askedAt + leaseMs - marginMs;
    const term = beginTerm({ ...claim, clock, until, parent: signal });
    await serve(options, { term, lease });
  } finally {
    if (lease !== undefined)
      await store
        .revokeLease(lease)
        .catch((err: unknown) => log.debug({ err, component: 'leader' }, 'lease left to run out'));
  }
}

interface Office {
  readonly term: RunningTerm;
  /** undefined: there is nobody whom it must give way to. */
  readonly lease: string | undefined;
}

async function serve(options: ElectionOptions, { term, lease }: Office): Promise<void> {
  const { epoch } = term;
  options.log.info({ component: 'leader', epoch }, 'leading');
  const renewing = lease === undefined ? undefined : keepRenewed(options, term, lease);
  try {
    await options.lead(term);
  } finally {
    term.end('it was given up');
    await renewing;
    const reason = String(term.signal.reason);
    options.log.warn({ component: 'leader', epoch, reason }, 'no longer leading');
  }
}

async function keepRenewed(
  { store, clock, log }: ElectionOptions,
  term: RunningTerm,
  lease: string,
): Promise<void> {
  const limit = { clock, ms: renewLimitMs, what: 'renewing the lease', parent: term.signal };
  while (!term.signal.aborted) {
    await sleep(clock, renewEveryMs, term.signal).catch(() => undefined);
    if (term.signal.aborted) return;
    const askedAt = clock.monotonic();
    try {
      if (await withDeadline(limit, () => store.renewLease(lease)))
        term.extend(askedAt + leaseMs - marginMs);
      else term.end('its lease is gone');
    } catch (err) {
      log.debug({ err, component: 'leader' }, 'lease not renewed');
    }
  }
}
