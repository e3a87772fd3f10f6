import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteStore } from '../../../../controller/store/sqlite-store.ts';
import { rounds } from '../../../support/rounds.ts';

const killAfterLines = 200;

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'orc-sqlite-'));
  path = join(directory, 'store.db');
});
afterEach(() => rm(directory, { recursive: true }));

const openStore = () => openSqliteStore({ path });

const writerScript = new URL('../../../support/write-to-sqlite.ts', import.meta.url).pathname;

/** Kills the writer as soon as it has acknowledged enough; returns what it acknowledged, whole lines only. */
async function acknowledgedBeforeKill(prefix: string): Promise<readonly string[]> {
  const child = spawn(process.execPath, [writerScript, path, prefix], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  let output = '';
  for await (const chunk of child.stdout) {
    output += chunk;
    if (output.split('\n').length > killAfterLines) child.kill('SIGKILL');
  }
  await exited;
  return output.split('\n').slice(0, -1);
}

describe('the SQLite store', () => {
  it('has on disk what it acknowledged, when killed the next instant', async () => {
    const acknowledged: string[] = [];
    for (let round = 0; round < rounds(3); round++) {
      acknowledged.push(...(await acknowledgedBeforeKill(`round-${round}`)));
      const store = await openStore();
      const { entries } = await store.list('/');
      await store.close();
      const found = new Set(entries.map((entry) => `${entry.key} ${entry.revision}`));
      expect(acknowledged.length).toBeGreaterThan(killAfterLines * round);
      expect(acknowledged.filter((line) => !found.has(line))).toEqual([]);
      const revisions = entries.map((entry) => entry.revision);
      expect(new Set(revisions).size, 'every write has a revision of its own').toBe(found.size);
    }
  });

  it('has a file of the same size after any amount of change, and a small one again after a peak', async () => {
    const store = await openStore();
    const value = Buffer.alloc(2000, 'x');
    const write = (keys: number) =>
      Promise.all(
        Array.from({ length: keys }, (_, i) =>
          store.commit({ expect: [], puts: [{ key: `/k${i % 50}`, value }], deletes: [] }),
        ),
      );
    const churn = async (writes: number) => {
      await write(writes);
      await store.compact(await store.revision());
      return (await stat(path)).size + (await stat(`${path}-wal`)).size;
    };
    const sizes: number[] = [];
    for (let round = 0; round < 16; round++) sizes.push(await churn(500));
    expect(Math.max(...sizes.slice(8))).toBeLessThanOrEqual(1.1 * Math.max(...sizes.slice(0, 8)));
    const peak = await churn(5000);
    for (let round = 0; round < 12; round++) await churn(50);
    await store.close();
    expect((await stat(path)).size).toBeLessThan(peak / 4);
  });

  it('refuses a second opener as Locked, and names the file', async () => {
    const store = await openStore();
    try {
      await expect(openStore()).rejects.toMatchObject({
        reason: 'Locked',
        message: expect.stringContaining(`${path}: another process has the store open`),
      });
    } finally {
      await store.close();
    }
    await (await openStore()).close();
  });

  it('refuses a second process as Locked', async () => {
    const store = await openStore();
    try {
      const child = spawn(process.execPath, [writerScript, path, 'x'], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let errors = '';
      for await (const chunk of child.stderr) errors += chunk;
      expect(errors).toContain('another process has the store open');
    } finally {
      await store.close();
    }
  });

  it('refuses a file that is no store as Corrupt', async () => {
    await writeFile(
      path,
      'this is not a database, but long enough to be taken for one'.repeat(100),
    );
    await expect(openStore()).rejects.toMatchObject({ reason: 'Corrupt' });
  });

  it('refuses a file of another version of orc, says which, and leaves it as it was', async () => {
    const early = `CREATE TABLE current (key TEXT PRIMARY KEY, value BLOB NOT NULL,
      revision INTEGER NOT NULL, create_revision INTEGER NOT NULL, lease TEXT) STRICT`;
    for (const [name, sql, words] of [
      ['early', early, `an early version of orc wrote it (format 0, not 2)`],
      ['later', 'PRAGMA user_version = 7', `a newer version of orc wrote it (format 7, not 2)`],
    ] as const) {
      path = join(directory, name);
      const file = new DatabaseSync(path);
      file.exec(sql);
      const before = file.prepare('SELECT * FROM sqlite_schema').all();
      file.close();
      const message = expect.stringContaining(`${path}: ${words}`);
      await expect(openStore()).rejects.toMatchObject({ reason: 'OtherFormat', message });
      const after = new DatabaseSync(path);
      expect(after.prepare('SELECT * FROM sqlite_schema').all()).toEqual(before);
      after.close();
    }
  });

  it('takes over a file of format 1', async () => {
    const format1 = `
      CREATE TABLE current (
        key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL, lease TEXT
      ) STRICT;
      CREATE INDEX current_lease ON current (lease) WHERE lease IS NOT NULL;
      CREATE TABLE lease (id TEXT PRIMARY KEY, ttl_ms INTEGER NOT NULL) STRICT;
      INSERT INTO current VALUES ('/a', x'31', 0, 'gone');
      PRAGMA user_version = 1`;
    const file = new DatabaseSync(path);
    file.exec(format1);
    file.close();
    for (const expected of [1, 2]) {
      const store = await openStore();
      const value = new Uint8Array([expected]);
      const { committed } = await store.commit({
        expect: [],
        puts: [{ key: '/b', value }],
        deletes: [],
      });
      const { entries } = await store.list('/');
      expect([committed, entries.map(({ key }) => key)]).toEqual([true, ['/a', '/b']]);
      await store.close();
    }
  });

  it('refuses a damaged store as Corrupt, at the latest when it reads the damage', async () => {
    const store = await openStore();
    const value = new TextEncoder().encode('x'.repeat(1000));
    for (let i = 0; i < 100; i++)
      await store.commit({ expect: [], puts: [{ key: `/k${i}`, value }], deletes: [] });
    await store.close();
    const file = await open(path, 'r+');
    const { size } = await file.stat();
    await file.write(Buffer.alloc(size / 2, 0xaa), 0, size / 2, size / 4);
    await file.close();
    await expect(openStore()).rejects.toMatchObject({ reason: 'Corrupt' });
  });
});
