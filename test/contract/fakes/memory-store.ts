import type { Clock } from '../../../base/clock.ts';
import type { Log } from '../../../base/log.ts';
import { type OrderedMap, orderedMap } from '../../../base/ordered-map.ts';
import type { Rng } from '../../../base/rng.ts';
import { revisionStore } from '../../../controller/store/revision-store.ts';
import {
  type ChangeListener,
  callOn,
  type Lease,
  type Revisions,
  type RevisionsAccess,
} from '../../../controller/store/revisions.ts';
import {
  type CommitOutcome,
  type Entry,
  type Store,
  type StoreChange,
  StoreError,
  type Transaction,
} from '../../../controller/store/store.ts';
import { checkTransaction, compacted, leaseGone } from '../../../controller/store/transaction.ts';
import { type WatchHub, watchHub } from '../../../controller/store/watch-hub.ts';

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

interface Row extends Entry {
  readonly lease: string | undefined;
}

/** Revisions in this process's memory, gone with it. */
function memoryRevisions(changed: ChangeListener): Revisions {
  const memory: Memory = {
    current: orderedMap(),
    leases: new Map(),
    history: [],
    revision: 0,
    oldest: 0,
    changed,
  };
  return {
    revision: () => memory.revision,
    get(key) {
      const row = memory.current.get(key);
      return row && entryOf(row);
    },
    list: (prefix) => ({
      entries: [...memory.current.startingWith(prefix)].map(entryOf),
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
    addLease(lease) {
      memory.leases.set(lease.id, lease);
    },
    removeLease: (id) => removeLease(memory, id),
    leases: () => [...memory.leases.values()],
  };
}

interface Memory {
  readonly current: OrderedMap<Row>;
  readonly leases: Map<string, Lease>;
  history: StoreChange[];
  revision: number;
  /** What was before this revision is forgotten. */
  oldest: number;
  readonly changed: ChangeListener;
}

function commit(memory: Memory, transaction: Transaction): CommitOutcome {
  checkTransaction(transaction);
  for (const { lease } of transaction.puts)
    if (lease !== undefined && !memory.leases.has(lease)) throw leaseGone(lease);
  for (const { key, revision } of transaction.expect) {
    const found = memory.current.get(key);
    if ((found?.revision ?? 0) !== revision)
      return { committed: false, key, current: found && entryOf(found) };
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
  const { key, value, lease } = put;
  const { current, revision } = memory;
  current.set(key, { key, value, lease, revision });
  return { kind: 'put', key, revision, value };
}

function erase({ current, revision }: Memory, key: string): StoreChange {
  current.delete(key);
  return { kind: 'delete', key, revision, value: undefined };
}

function removeLease(memory: Memory, id: string): void {
  if (!memory.leases.delete(id)) return;
  const rows = [...memory.current.startingWith('')].filter((row) => row.lease === id);
  commit(memory, { expect: [], puts: [], deletes: rows.map((row) => row.key) });
}

const entryOf = ({ key, value, revision }: Entry): Entry => ({ key, value, revision });
