import type { DatabaseSync, StatementSync } from 'node:sqlite';

/**
 * current: what is. history: every change, so that watches resume.
 * meta: the newest revision, and the oldest that is still known.
 */
export const schema = `
  CREATE TABLE IF NOT EXISTS current (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS history (
    id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, key TEXT NOT NULL, value BLOB
  ) STRICT;
  CREATE INDEX IF NOT EXISTS history_revision ON history (revision);
  CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT`;

/** It had leases, on which nothing but the leader's key hung. */
export const fromFormat1 = `
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

export type Statements = { readonly [K in keyof typeof texts]: StatementSync };

export function prepareStatements(db: DatabaseSync): Statements {
  const prepared = Object.entries(texts).map(([name, text]) => [name, db.prepare(text)] as const);
  return Object.fromEntries(prepared) as Statements;
}
