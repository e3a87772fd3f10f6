import type { DatabaseSync, StatementSync } from 'node:sqlite';

/**
 * current: what is. history: every change with what was before it, so that watches resume and the past can be listed.
 * meta: the newest revision, and the oldest that is still known.
 */
export const schema = `
  CREATE TABLE IF NOT EXISTS current (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL,
    create_revision INTEGER NOT NULL, lease TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS current_lease ON current (lease) WHERE lease IS NOT NULL;
  CREATE TABLE IF NOT EXISTS history (
    id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, key TEXT NOT NULL, value BLOB,
    create_revision INTEGER NOT NULL, previous BLOB, previous_revision INTEGER
  ) STRICT;
  CREATE INDEX IF NOT EXISTS history_revision ON history (revision);
  CREATE INDEX IF NOT EXISTS history_key ON history (key, revision);
  CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS lease (id TEXT PRIMARY KEY, ttl_ms INTEGER NOT NULL) STRICT`;

const texts = {
  counters: 'SELECT name, value FROM meta',
  setCounter: 'INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  get: 'SELECT key, value, revision, create_revision FROM current WHERE key = ?',
  listNow: `SELECT key, value, revision, create_revision FROM current
    WHERE key >= ? AND key < ? AND key > ? ORDER BY key LIMIT ?`,
  /** What hasn't changed since, and of what has, the state before the first change. */
  listThen: `SELECT key, value, revision, create_revision FROM current
      WHERE key >= :prefix AND key < :end AND key > :after AND revision <= :revision
    UNION ALL
    SELECT key, previous, previous_revision, create_revision FROM history AS h
      WHERE key >= :prefix AND key < :end AND key > :after AND previous IS NOT NULL
        AND revision =
          (SELECT min(revision) FROM history WHERE key = h.key AND revision > :revision)
    ORDER BY key LIMIT :limit`,
  put: `INSERT INTO current VALUES (:key, :value, :revision, :revision, :lease)
    ON CONFLICT (key) DO UPDATE SET value = :value, revision = :revision, lease = :lease`,
  delete: 'DELETE FROM current WHERE key = ?',
  /** Runs before the change itself: takes what is there as what was. */
  remember: `INSERT INTO history
      (revision, key, value, create_revision, previous, previous_revision)
    SELECT :revision, :key, :value, coalesce(c.create_revision, :revision), c.value, c.revision
    FROM (SELECT 1) LEFT JOIN current AS c ON c.key = :key`,
  changesOf: `SELECT revision, key, value, create_revision, previous FROM history
    WHERE revision = ? ORDER BY id`,
  changesAfter: `SELECT revision, key, value, create_revision, previous FROM history
    WHERE revision > ? AND key >= ? AND key < ? ORDER BY id`,
  forget: 'DELETE FROM history WHERE revision <= ?',
  addLease: 'INSERT INTO lease VALUES (?, ?)',
  getLease: 'SELECT id FROM lease WHERE id = ?',
  removeLease: 'DELETE FROM lease WHERE id = ?',
  keysOfLease: 'SELECT key FROM current WHERE lease = ?',
  leases: 'SELECT id, ttl_ms FROM lease',
} as const;

export type Statements = { readonly [K in keyof typeof texts]: StatementSync };

export function prepareStatements(db: DatabaseSync): Statements {
  const prepared = Object.entries(texts).map(([name, text]) => [name, db.prepare(text)] as const);
  return Object.fromEntries(prepared) as Statements;
}
