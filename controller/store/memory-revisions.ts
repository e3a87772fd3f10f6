import { orderedMap } from '../../base/ordered-map.ts';
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
  const current = orderedMap<Row>();
  const leases = new Map<string, Lease>();
  let history: Past[] = [];
  let revision = 0;
  let oldest = 0;

  const checkKnown = (wanted: number) => {
    if (wanted < oldest) throw compacted(wanted, oldest);
  };

  const write = (
    key: string,
    next: Omit<Row, 'key' | 'createRevision' | 'revision'> | undefined,
  ) => {
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
  };

  const commit = (transaction: Transaction): CommitOutcome => {
    checkTransaction(transaction);
    for (const { lease } of transaction.puts)
      if (lease !== undefined && !leases.has(lease)) throw leaseGone(lease);
    for (const { key, revision: expected } of transaction.expect) {
      const found = current.get(key);
      if ((found?.revision ?? 0) !== expected)
        return { committed: false, key, current: found && entryOf(found) };
    }
    const deletes = transaction.deletes.filter((key) => current.get(key));
    if (transaction.puts.length + deletes.length === 0) return { committed: true, revision };
    revision++;
    const past = [
      ...transaction.puts.map(({ key, value, lease }) => write(key, { value, lease })),
      ...deletes.map((key) => write(key, undefined)),
    ];
    history.push(...past);
    changed(past.map(({ change }) => change));
    return { committed: true, revision };
  };

  const entriesAt = (prefix: string, wanted: number): Iterable<Entry> => {
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
  };

  return {
    revision: () => revision,
    get(key) {
      const row = current.get(key);
      return row && entryOf(row);
    },
    list(prefix, options) {
      const at = options.revision ?? revision;
      checkKnown(at);
      return listing(entriesAt(prefix, at), at, options);
    },
    commit,
    changesAfter(prefix, after) {
      checkKnown(after);
      const changes = history
        .map((past) => past.change)
        .filter((change) => change.revision > after && change.key.startsWith(prefix));
      return { changes, revision };
    },
    compact(to) {
      oldest = Math.max(oldest, Math.min(to, revision));
      history = history.filter(({ change }) => change.revision > oldest);
    },
    addLease(lease) {
      leases.set(lease.id, lease);
    },
    removeLease(id) {
      if (!leases.delete(id)) return;
      const rows = [...current.startingWith('')].filter((row) => row.lease === id);
      commit({ expect: [], puts: [], deletes: rows.map((row) => row.key) });
    },
    leases: () => [...leases.values()],
  };
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
