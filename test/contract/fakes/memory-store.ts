import { type OrderedMap, orderedMap } from '../../../base/ordered-map.ts';
import {
  type ChangeListener,
  callOn,
  type Revisions,
  type RevisionsAccess,
  revisionStore,
} from '../../../controller/store/revisions.ts';
import {
  type CommitOutcome,
  checkTransaction,
  compacted,
  type Entry,
  type Store,
  type StoreChange,
  StoreError,
  type Transaction,
} from '../../../controller/store/store.ts';
import { type WatchHub, watchHub } from '../../../controller/store/watch-hub.ts';

/** The fake: passes the contract, keeps nothing. */
export function openMemoryStore(): Store {
  const hub = watchHub();
  return revisionStore(inProcess(hub), hub);
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

/** Revisions in this process's memory, gone with it. */
function memoryRevisions(changed: ChangeListener): Revisions {
  const memory: Memory = {
    current: orderedMap(),
    history: [],
    revision: 0,
    oldest: 0,
    changed,
  };
  return {
    revision: () => memory.revision,
    get: (key) => memory.current.get(key),
    list: (prefix) => ({
      entries: [...memory.current.startingWith(prefix)],
      revision: memory.revision,
    }),
    commit: (transaction) => commit(memory, transaction),
    changesAfter(prefix, after) {
      if (after < memory.oldest) throw compacted(after, memory.oldest);
      const changes = memory.history.filter(
        (change) => change.revision > after && change.key.startsWith(prefix),
      );
      return { changes, revision: memory.revision };
    },
    compact(to) {
      memory.oldest = Math.max(memory.oldest, Math.min(to, memory.revision));
      memory.history = memory.history.filter(({ revision }) => revision > memory.oldest);
    },
  };
}

interface Memory {
  readonly current: OrderedMap<Entry>;
  history: StoreChange[];
  revision: number;
  /** What was before this revision is forgotten. */
  oldest: number;
  readonly changed: ChangeListener;
}

function commit(memory: Memory, transaction: Transaction): CommitOutcome {
  checkTransaction(transaction);
  for (const { key, revision } of transaction.expect) {
    const found = memory.current.get(key);
    if ((found?.revision ?? 0) !== revision) return { committed: false, key, current: found };
  }
  const deletes = transaction.deletes.filter((key) => memory.current.get(key));
  if (transaction.puts.length + deletes.length > 0) {
    memory.revision++;
    const changes = [
      ...transaction.puts.map((put) => write(memory, put)),
      ...deletes.map((key) => erase(memory, key)),
    ];
    memory.history.push(...changes);
    memory.changed(changes);
  }
  return { committed: true, revision: memory.revision };
}

function write(memory: Memory, put: Transaction['puts'][number]): StoreChange {
  const { key, value } = put;
  const { current, revision } = memory;
  current.set(key, { key, value, revision });
  return { kind: 'put', key, revision, value };
}

function erase({ current, revision }: Memory, key: string): StoreChange {
  current.delete(key);
  return { kind: 'delete', key, revision, value: undefined };
}
