import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import type { ChangeListener, PastChanges, Revisions } from './revisions.ts';
import { fromFormat1, prepareStatements, type Statements, schema } from './sqlite-statements.ts';
import {
  type CommitOutcome,
  type Entry,
  type Listing,
  type StoreChange,
  StoreError,
  type Transaction,
} from './store.ts';
import { checkTransaction, compacted } from './transaction.ts';

/** Revisions in one SQLite file: current state, history, and counters, on disk when {@link SqliteRevisions.durably} returns. */
export interface SqliteRevisions extends Revisions {
  /** Runs `work` as one SQLite transaction: all of it is on disk at the end, or, if it throws, none of it happened. */
  durably<T>(work: () => T): T;
  close(): void;
}

export interface Origin {
  readonly path: string;
  /** Where a new store begins to count. */
  readonly firstRevision: number;
}

/** Throws SQLite's own errors, which sqlite-errors.ts names, and StoreError OtherFormat. */
export function openSqliteRevisions(
  { path, firstRevision }: Origin,
  changed: ChangeListener,
): SqliteRevisions {
  const db = new DatabaseSync(path);
  let statements: Statements;
  try {
    statements = configure(db, path);
  } catch (error) {
    db.close();
    throw error;
  }
  const file: File = { db, statements, changed, revision: 0, oldest: 0 };
  loadCounters(file);
  if (file.revision === 0 && firstRevision > 0) beginAt(file, firstRevision);
  return {
    revision: () => file.revision,
    get: (key) => rowEntry(statements.get.get(key)),
    list: (prefix) => list(file, prefix),
    commit: (transaction) => commit(file, transaction),
    changesAfter: (prefix, after) => changesAfter(file, prefix, after),
    compact: (to) => compact(file, to),
    durably: (work) => durably(file, work),
    close: () => db.close(),
  };
}

interface File {
  readonly db: DatabaseSync;
  readonly statements: Statements;
  readonly changed: ChangeListener;
  revision: number;
  /** What was before this revision is forgotten. */
  oldest: number;
}

/** Exclusive locking keeps a second process out, and spares the shared-memory file. The first write takes the lock. */
function configure(db: DatabaseSync, path: string): Statements {
  // First: what reads the file before this would make the shared-memory file, for which a full disk has no room.
  db.exec('PRAGMA locking_mode = EXCLUSIVE');
  // Before the first table: a new file gives back what compaction has freed.
  db.exec('PRAGMA auto_vacuum = INCREMENTAL');
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  db.exec('BEGIN IMMEDIATE');
  const statements = ensureFormat(db, path);
  db.exec('COMMIT');
  const verdict = pragma(db, 'quick_check(1)');
  if (verdict !== 'ok') throw Object.assign(new Error(String(verdict)), { errcode: corruptCode });
  return statements;
}

const pragma = (db: DatabaseSync, name: string) =>
  Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0];

/** Of the tables. Files from before there were numbers have 0. */
const fileFormat = 2;

function ensureFormat(db: DatabaseSync, path: string): Statements {
  const found = Number(pragma(db, 'user_version'));
  if (found > fileFormat)
    throw otherFormat(
      `${path}: a newer version of orc wrote it (format ${found}, not ${fileFormat}): install that one`,
    );
  try {
    if (found === 1) db.exec(fromFormat1);
    db.exec(schema);
    const statements = prepareStatements(db);
    if (found < fileFormat) db.exec(`PRAGMA user_version = ${fileFormat}`);
    return statements;
  } catch (error) {
    // Which is SQLITE_ERROR: a statement that doesn't fit the tables.
    if ((error as { errcode?: number }).errcode !== 1) throw error;
    throw otherFormat(
      `${path}: an early version of orc wrote it (format ${found}, not ${fileFormat}), which this one can't read: ` +
        'go back to that version, or move the file away to begin anew',
    );
  }
}

const otherFormat = (message: string) => new StoreError('OtherFormat', message);

const corruptCode = 11;

function loadCounters(file: File): void {
  const counters = file.statements.counters
    .all()
    .map((row) => [String(row.name), Number(row.value)]);
  const { revision, compacted: oldest } = Object.fromEntries(counters) as Record<string, number>;
  file.revision = revision ?? 0;
  file.oldest = oldest ?? 0;
}

/** What was before counts as forgotten. */
function beginAt(file: File, revision: number): void {
  for (const name of ['revision', 'compacted']) file.statements.setCounter.run(name, revision);
  loadCounters(file);
}

function durably<T>(file: File, work: () => T): T {
  file.db.exec('BEGIN');
  try {
    const result = work();
    file.db.exec('COMMIT');
    return result;
  } catch (error) {
    // SQLite has rolled back by itself after some errors (a full disk).
    if (file.db.isTransaction) file.db.exec('ROLLBACK');
    loadCounters(file);
    throw error;
  }
}

function list({ statements, revision }: File, prefix: string): Listing {
  const rows = statements.list.all(prefix, endOf(prefix));
  return { entries: rows.flatMap((row) => rowEntry(row) ?? []), revision };
}

/** Every string that starts with the prefix is less than this one. Keys are ASCII. */
const endOf = (prefix: string) => `${prefix}\u{10ffff}`;

/** Checks everything before it writes anything, so that a refusal leaves no trace among its neighbours. */
function commit(file: File, transaction: Transaction): CommitOutcome {
  const { statements } = file;
  checkTransaction(transaction);
  for (const { key, revision } of transaction.expect) {
    const current = rowEntry(statements.get.get(key));
    if ((current?.revision ?? 0) !== revision) return { committed: false, key, current };
  }
  const deletes = transaction.deletes.filter((key) => statements.get.get(key));
  if (transaction.puts.length + deletes.length > 0) write(file, { ...transaction, deletes });
  return { committed: true, revision: file.revision };
}

function write(file: File, { puts, deletes }: Transaction): void {
  const { statements } = file;
  const revision = file.revision + 1;
  statements.setCounter.run('revision', revision);
  for (const { key, value } of puts) {
    statements.remember.run({ revision, key, value });
    statements.put.run({ revision, key, value });
  }
  for (const key of deletes) {
    statements.remember.run({ revision, key, value: null });
    statements.delete.run(key);
  }
  file.revision = revision;
  file.changed([
    ...puts.map(({ key, value }): StoreChange => ({ kind: 'put', key, revision, value })),
    ...deletes.map((key): StoreChange => ({ kind: 'delete', key, revision, value: undefined })),
  ]);
}

function changesAfter(file: File, prefix: string, after: number): PastChanges {
  if (after < file.oldest) throw compacted(after, file.oldest);
  const rows = file.statements.changesAfter.all(after, prefix, endOf(prefix));
  return { changes: rows.map(rowChange), revision: file.revision };
}

function compact(file: File, to: number): void {
  const oldest = Math.max(file.oldest, Math.min(to, file.revision));
  file.statements.forget.run(oldest);
  file.statements.setCounter.run('compacted', oldest);
  file.oldest = oldest;
  giveBack(file.db);
}

/** Bounds how long one compaction holds up everybody else. */
const maxPagesGivenBack = 5000;

/** Free pages are used again; after a peak, when most of the file is free, the file shrinks. */
function giveBack(db: DatabaseSync): void {
  const free = Number(pragma(db, 'freelist_count'));
  if (free < Number(pragma(db, 'page_count')) / 2) return;
  db.exec(`PRAGMA incremental_vacuum(${Math.min(Math.ceil(free / 2), maxPagesGivenBack)})`);
}

type Row = Record<string, SQLOutputValue>;

function rowEntry(row: Row | undefined): Entry | undefined {
  return (
    row && {
      key: String(row.key),
      value: row.value as Uint8Array,
      revision: Number(row.revision),
    }
  );
}

function rowChange(row: Row): StoreChange {
  return {
    kind: row.value === null ? 'delete' : 'put',
    key: String(row.key),
    revision: Number(row.revision),
    value: row.value === null ? undefined : (row.value as Uint8Array),
  };
}
