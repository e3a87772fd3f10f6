import { orAborted } from '../../base/deadline.ts';
import type { RevisionsAccess } from './revisions.ts';
import type { Store, StoreChange, WatchOptions } from './store.ts';
import type { WatchHub } from './watch-hub.ts';

/** A Store of revisions: adds the watches. @param hub gets every change of these revisions, in order */
export const revisionStore = (revisions: RevisionsAccess, hub: WatchHub): Store => ({
  get: (key) => revisions.call('get', key),
  list: (prefix) => revisions.call('list', prefix),
  commit: (transaction) => revisions.call('commit', transaction),
  watch: (prefix, options) => watch({ revisions, hub, prefix, ...options }),
  compact: (revision) => revisions.call('compact', revision),
  revision: () => revisions.call('revision'),
  close: () => revisions.close(),
});

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
