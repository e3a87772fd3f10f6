import { type OrderedMap, orderedMap } from '../../base/ordered-map.ts';
import type { ChangeListener, Lease, Revisions } from './revisions.ts';
import type {
  CommitOutcome,
  Entry,
  Listing,
  ListOptions,
  StoreChange,
  Transaction,
} from './store.ts';
import { checkTransaction, compacted, leaseGone } from './transaction.ts';

interface Row extends Entry {
  readonly lease: string | undefined;
}

/** Of one change: what was before, so that the past can be listed. */
interface Past {
  readonly change: StoreChange;
  readonly before: Entry | undefined;
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
    list(prefix, options) {
      const at = options.revision ?? memory.revision;
      checkKnown(memory, at);
      return listing(entriesAt(memory, prefix, at), at, options);
    },
    commit: (transaction) => commit(memory, transaction),
    changesAfter(prefix, after) {
      checkKnown(memory, after);
      const changes = memory.history
        .map((past) => past.change)
        .filter((change) => change.revision > after && change.key.startsWith(prefix));
      return { changes, revision: memory.revision };
    },
    compact(to) {
      memory.oldest = Math.max(memory.oldest, Math.min(to, memory.revision));
      memory.history = memory.history.filter(({ change }) => change.revision > memory.oldest);
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
  history: Past[];
  revision: number;
  /** What was before this revision is forgotten. */
  oldest: number;
  readonly changed: ChangeListener;
}

function checkKnown({ oldest }: Memory, wanted: number): void {
  if (wanted < oldest) throw compacted(wanted, oldest);
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
    const past = [
      ...transaction.puts.map(({ key, value, lease }) => write(memory, key, { value, lease })),
      ...deletes.map((key) => write(memory, key, undefined)),
    ];
    memory.history.push(...past);
    memory.changed(past.map(({ change }) => change));
  }
  return { committed: true, revision: memory.revision };
}

function write(memory: Memory, key: string, next: Pick<Row, 'value' | 'lease'> | undefined): Past {
  const { current, revision } = memory;
  const before = current.get(key);
  const createRevision = before?.createRevision ?? revision;
  if (next) current.set(key, { ...next, key, revision, createRevision });
  else current.delete(key);
  const change: StoreChange = {
    kind: next ? 'put' : 'delete',
    key,
    revision,
    value: next?.value,
    createRevision,
    previous: before?.value,
  };
  return { change, before };
}

function removeLease(memory: Memory, id: string): void {
  if (!memory.leases.delete(id)) return;
  const rows = [...memory.current.startingWith('')].filter((row) => row.lease === id);
  commit(memory, { expect: [], puts: [], deletes: rows.map((row) => row.key) });
}

function entriesAt({ current, history, revision }: Memory, prefix: string, wanted: number) {
  if (wanted >= revision) return current.startingWith(prefix);
  const then = orderedMap<Entry>();
  for (const row of current.startingWith(prefix)) then.set(row.key, row);
  for (const { change, before } of history.toReversed()) {
    if (change.revision <= wanted) break;
    if (!change.key.startsWith(prefix)) continue;
    if (before) then.set(change.key, before);
    else then.delete(change.key);
  }
  return then.startingWith(prefix);
}

function listing(entries: Iterable<Entry>, revision: number, options: ListOptions): Listing {
  const { after, limit = Number.POSITIVE_INFINITY } = options;
  const page: Entry[] = [];
  for (const entry of entries) {
    if (after !== undefined && entry.key <= after) continue;
    if (page.length === limit) return { entries: page, revision, more: true };
    page.push(entryOf(entry));
  }
  return { entries: page, revision, more: false };
}

const entryOf = ({ key, value, revision, createRevision }: Entry): Entry => ({
  key,
  value,
  revision,
  createRevision,
});
