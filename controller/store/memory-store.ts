import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Rng } from '../../base/rng.ts';
import { memoryRevisions } from './memory-revisions.ts';
import { revisionStore } from './revision-store.ts';
import { callOn, type RevisionsAccess } from './revisions.ts';
import { type Store, StoreError } from './store.ts';
import { type WatchHub, watchHub } from './watch-hub.ts';

/** The fake: passes the contract, keeps nothing. */
export function openMemoryStore(deps: { clock: Clock; rng: Rng; log: Log }): Promise<Store> {
  const hub = watchHub();
  return revisionStore({ ...deps, hub, revisions: inProcess(hub) });
}

function inProcess(hub: WatchHub): RevisionsAccess {
  const revisions = memoryRevisions(hub.publish);
  let closed = false;
  return {
    async call(method, ...args) {
      if (closed) throw new StoreError('Closed', 'the store is closed');
      return callOn(revisions, method, ...args);
    },
    async close() {
      closed = true;
      hub.fail(new StoreError('Closed', 'the store is closed'));
    },
  };
}
