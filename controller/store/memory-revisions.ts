import { type OrderedMap, orderedMap } from '../../base/ordered-map.ts';
import type { ChangeListener, Lease, Revisions } from './revisions.ts';
import type { CommitOutcome, Entry, StoreChange, Transaction } from './store.ts';
import { checkTransaction, compacted, leaseGone } from './transaction.ts';

interface Row extends Entry {
  readonly lease: string | undefined;
}

/** Revisions in this process's memory, gone with it. */
export function memoryRevisions(changed: ChangeListener): Revisions {
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
