import type { Base } from '../../base/base.ts';
import type { Clock } from '../../base/clock.ts';
import { orAborted } from '../../base/deadline.ts';
import type { Lease, RevisionsAccess } from './revisions.ts';
import { type Store, type StoreChange, StoreError, type WatchOptions } from './store.ts';
import type { WatchHub } from './watch-hub.ts';

export interface RevisionStoreOptions extends Base {
  readonly revisions: RevisionsAccess;
  /** Gets every change of these revisions, in order. */
  readonly hub: WatchHub;
}

const leaseRetryMs = 1000;

/** A Store of revisions: adds the watches and the leases' deadlines. */
export async function revisionStore(options: RevisionStoreOptions): Promise<Store> {
  const { revisions, hub, clock, rng, log } = options;

  const expire = (lease: Lease) => {
    revisions.call('removeLease', lease.id).catch((err: unknown) => {
      if (err instanceof StoreError && err.reason === 'Closed') return;
      log.warn({ err, retryInMs: leaseRetryMs }, 'a lease that ran out could not be removed');
      clock.after(leaseRetryMs, () => expire(lease));
    });
  };
  const deadlines = leaseDeadlines(clock, expire);
  for (const lease of await revisions.call('leases')) deadlines.start(lease);

  return {
    get: (key) => revisions.call('get', key),
    list: (prefix) => revisions.call('list', prefix),
    commit: (transaction) => revisions.call('commit', transaction),
    watch: (prefix, watchOptions) => watch({ revisions, hub, prefix, ...watchOptions }),
    async grantLease(ttlMs) {
      const lease = { id: rng.uuid(), ttlMs };
      await revisions.call('addLease', lease);
      deadlines.start(lease);
      return lease.id;
    },
    renewLease: async (id) => deadlines.renew(id),
    async revokeLease(id) {
      deadlines.forget(id);
      await revisions.call('removeLease', id);
    },
    compact: (revision) => revisions.call('compact', revision),
    revision: () => revisions.call('revision'),
    close() {
      deadlines.close();
      return revisions.close();
    },
  };
}

/** They are not stored: after a restart every lease has its whole time again. */
function leaseDeadlines(clock: Clock, expired: (lease: Lease) => void) {
  const running = new Map<string, { readonly lease: Lease; readonly cancel: () => void }>();
  const forget = (id: string) => {
    running.get(id)?.cancel();
    running.delete(id);
  };
  const start = (lease: Lease) => {
    forget(lease.id);
    const cancel = clock.after(lease.ttlMs, () => {
      running.delete(lease.id);
      expired(lease);
    });
    running.set(lease.id, { lease, cancel });
  };
  return {
    start,
    forget,
    /** False: not known (any more). */
    renew(id: string): boolean {
      const found = running.get(id);
      if (found) start(found.lease);
      return found !== undefined;
    },
    close() {
      for (const id of running.keys()) forget(id);
    },
  };
}

interface WatchRequest extends WatchOptions {
  readonly revisions: RevisionsAccess;
  readonly hub: WatchHub;
  readonly prefix: string;
}

/** Subscribes first and asks for the past second, so that nothing falls between the two. */
async function* watch(request: WatchRequest): AsyncGenerator<readonly StoreChange[], void> {
  const { revisions, hub, prefix, after, signal } = request;
  if (signal.aborted) return;
  const subscription = hub.subscribe(prefix);
  try {
    const past = await unlessAborted(revisions.call('changesAfter', prefix, after), signal);
    if (!past) return;
    if (past.changes.length > 0) yield past.changes;
    const seen = Math.max(after, past.revision);
    for (;;) {
      const changes = await subscription.take(signal);
      if (!changes) return;
      const unseen = changes.filter((change) => change.revision > seen);
      if (unseen.length > 0) yield unseen;
    }
  } finally {
    subscription.end();
  }
}

async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await orAborted(promise, signal);
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}
