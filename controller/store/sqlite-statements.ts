import type { DatabaseSync, StatementSync } from 'node:sqlite';

/**
 * current: what is. history: every change, so that watches resume.
 * meta: the newest revision, and the oldest that is still known.
 */
export const schema = `
  CREATE TABLE IF NOT EXISTS current (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL, lease TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS current_lease ON current (lease) WHERE lease IS NOT NULL;
  CREATE TABLE IF NOT EXISTS history (
    id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, key TEXT NOT NULL, value BLOB
  ) STRICT;
  CREATE INDEX IF NOT EXISTS history_revision ON history (revision);
  CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS lease (id TEXT PRIMARY KEY, ttl_ms INTEGER NOT NULL) STRICT`;

const texts = {
  counters: 'SELECT name, value FROM meta',
  setCounter: 'INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  get: 'SELECT key, value, revision FROM current WHERE key = ?',
  list: 'SELECT key, value, revision FROM current WHERE key >= ? AND key < ? ORDER BY key',
  put: `INSERT INTO current VALUES (:key, :value, :revision, :lease)
    ON CONFLICT (key) DO UPDATE SET value = :value, revision = :revision, lease = :lease`,
  delete: 'DELETE FROM current WHERE key = ?',
  remember: 'INSERT INTO history (revision, key, value) VALUES (:revision, :key, :value)',
  changesAfter: `SELECT revision, key, value FROM history
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
