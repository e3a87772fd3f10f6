import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import type { ChangeListener, PastChanges, Revisions } from './revisions.ts';
import * as port from './store.ts';

/** Where the file is, and where a new store begins to count. */
export type Origin = Readonly<{ path: string; firstRevision: number }>;

/**
 * Revisions in one SQLite file: current state, history, and counters, on disk when {@link SqliteRevisions.durably} returns.
 * Throws SQLite's own errors, which sqlite-worker.ts names, and StoreError OtherFormat.
 */
export class SqliteRevisions implements Revisions {
  readonly #db: DatabaseSync;
  readonly #statements: Statements;
  readonly #changed: ChangeListener;
  #revision = 0;
  /** What was before this revision is forgotten. */
  #oldest = 0;

  constructor({ path, firstRevision }: Origin, changed: ChangeListener) {
    this.#changed = changed;
    this.#db = new DatabaseSync(path);
    try {
      this.#statements = configure(this.#db, path);
    } catch (error) {
      this.#db.close();
      throw error;
    }
    this.#loadCounters();
    if (this.#revision === 0 && firstRevision > 0) this.#beginAt(firstRevision);
  }

  close(): void {
    this.#db.close();
  }

  /** Runs `work` as one SQLite transaction: all of it is on disk at the end, or, if it throws, none of it happened. */
  durably<T>(work: () => T): T {
    this.#db.exec('BEGIN');
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      // SQLite has rolled back by itself after some errors (a full disk).
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      this.#loadCounters();
      throw error;
    }
  }

  revision(): number {
    return this.#revision;
  }

  get(key: string): port.Entry | undefined {
    const row = this.#statements.get.get(key);
    return row && entryOf(row);
  }

  list(prefix: string): port.Listing {
    const rows = this.#statements.list.all(prefix, endOf(prefix));
    return { entries: rows.map(entryOf), revision: this.#revision };
  }

  /** Checks everything before it writes anything, so that a refusal leaves no trace among its neighbours. */
  commit(transaction: port.Transaction): port.CommitOutcome {
    port.checkTransaction(transaction);
    for (const { key, revision } of transaction.expect) {
      const current = this.get(key);
      if ((current?.revision ?? 0) !== revision) return { committed: false, key, current };
    }
    const deletes = transaction.deletes.filter((key) => this.get(key));
    if (transaction.puts.length + deletes.length > 0) this.#write(transaction.puts, deletes);
    return { committed: true, revision: this.#revision };
  }

  changesAfter(prefix: string, after: number): PastChanges {
    if (after < this.#oldest) throw port.compacted(after, this.#oldest);
    const rows = this.#statements.changesAfter.all(after, prefix, endOf(prefix));
    return { changes: rows.map(changeOf), revision: this.#revision };
  }

  compact(to: number): void {
    this.#oldest = Math.max(this.#oldest, Math.min(to, this.#revision));
    this.#statements.forget.run(this.#oldest);
    this.#statements.setCounter.run('compacted', this.#oldest);
    giveBack(this.#db);
  }

  #write(puts: port.Transaction['puts'], deletes: readonly string[]): void {
    const statements = this.#statements;
    const revision = ++this.#revision;
    statements.setCounter.run('revision', revision);
    for (const { key, value } of puts) {
      statements.remember.run({ revision, key, value });
      statements.put.run({ revision, key, value });
    }
    for (const key of deletes) {
      statements.remember.run({ revision, key, value: null });
      statements.delete.run(key);
    }
    this.#changed([
      ...puts.map(({ key, value }): port.StoreChange => ({ kind: 'put', key, revision, value })),
      ...deletes.map(
        (key): port.StoreChange => ({ kind: 'delete', key, revision, value: undefined }),
      ),
    ]);
  }

  #loadCounters(): void {
    const rows = this.#statements.counters.all();
    const counters = rows.map((row) => [String(row.name), Number(row.value)]);
    const { revision, compacted: oldest } = Object.fromEntries(counters) as Record<string, number>;
    this.#revision = revision ?? 0;
    this.#oldest = oldest ?? 0;
  }

  /** What was before counts as forgotten. */
  #beginAt(revision: number): void {
    for (const name of ['revision', 'compacted']) this.#statements.setCounter.run(name, revision);
    this.#loadCounters();
  }
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

const otherFormat = (message: string) => new port.StoreError('OtherFormat', message);

const corruptCode = 11;

/** Bounds how long one compaction holds up everybody else. */
const maxPagesGivenBack = 5000;

/** Free pages are used again; after a peak, when most of the file is free, the file shrinks. */
function giveBack(db: DatabaseSync): void {
  const free = Number(pragma(db, 'freelist_count'));
  if (free < Number(pragma(db, 'page_count')) / 2) return;
  db.exec(`PRAGMA incremental_vacuum(${Math.min(Math.ceil(free / 2), maxPagesGivenBack)})`);
}

/** Every string that starts with the prefix is less than this one. Keys are ASCII. */
const endOf = (prefix: string) => `${prefix}\u{10ffff}`;

type Row = Record<string, SQLOutputValue>;

const entryOf = ({ key, value, revision }: Row): port.Entry => ({
  key: String(key),
  value: value as Uint8Array,
  revision: Number(revision),
});

const changeOf = (row: Row): port.StoreChange =>
  row.value === null
    ? { ...entryOf(row), kind: 'delete', value: undefined }
    : { ...entryOf(row), kind: 'put' };

/**
 * current: what is. history: every change, so that watches resume.
 * meta: the newest revision, and the oldest that is still known.
 */
const schema = `
  CREATE TABLE IF NOT EXISTS current (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS history (
    id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, key TEXT NOT NULL, value BLOB
  ) STRICT;
  CREATE INDEX IF NOT EXISTS history_revision ON history (revision);
  CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT`;

/** It had leases, on which nothing but the leader's key hung. */
const fromFormat1 = `
  DROP INDEX current_lease;
  ALTER TABLE current DROP COLUMN lease;
  DROP TABLE lease`;

const texts = {
  counters: 'SELECT name, value FROM meta',
  setCounter: 'INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  get: 'SELECT key, value, revision FROM current WHERE key = ?',
  list: 'SELECT key, value, revision FROM current WHERE key >= ? AND key < ? ORDER BY key',
  put: `INSERT INTO current VALUES (:key, :value, :revision)
    ON CONFLICT (key) DO UPDATE SET value = :value, revision = :revision`,
  delete: 'DELETE FROM current WHERE key = ?',
  remember: 'INSERT INTO history (revision, key, value) VALUES (:revision, :key, :value)',
  changesAfter: `SELECT revision, key, value FROM history
    WHERE revision > ? AND key >= ? AND key < ? ORDER BY id`,
  forget: 'DELETE FROM history WHERE revision <= ?',
} as const;

type Statements = { readonly [K in keyof typeof texts]: StatementSync };

function prepareStatements(db: DatabaseSync): Statements {
  const prepared = Object.entries(texts).map(([name, text]) => [name, db.prepare(text)] as const);
  return Object.fromEntries(prepared) as Statements;
}
