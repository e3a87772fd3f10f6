import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLedger } from '../../agent/ledger/disk-ledger.ts';
import { ensureNodeKey } from '../../agent/ledger/node-key.ts';
import type { Secret } from '../../api/secret.ts';
import { silentLog } from '../../base/log.ts';
import { systemRng } from '../../base/rng.ts';
import { assign, ledgerContract, newAssignment, snapshot } from './ledger.contract.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'orc-ledger-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const key = Buffer.alloc(32, 7);
const open = (from = key) => openLedger({ dir, key: from, rng: systemRng(), log: silentLog });

ledgerContract(() => open());

const secret: Secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {
    name: 'token',
    namespace: 'default',
    uid: 's',
    resourceVersion: '3',
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  type: 'Opaque',
  data: { password: 'aHVudGVyMg==' },
};

describe('a ledger on disk', () => {
  it('is the same after a restart', async () => {
    const before = await open();
    const withSecret = { ...newAssignment('a'), secrets: new Map([['token', secret]]) };
    await before.accept(snapshot(4, [withSecret, newAssignment('b')]));
    const after = await open();
    expect(after.pods()).toEqual(before.pods());
    expect(after.network()).toEqual(before.network());
    expect(after.generation()).toEqual({ epoch: 1, revision: 4 });
  });

  it('keeps the fence over a restart, even if the new epoch changed nothing', async () => {
    const before = await open();
    await before.accept(snapshot(4, [], 1));
    await before.accept(snapshot(4, [], 2));
    const after = await open();
    expect(await after.accept(snapshot(9, [], 1))).toBe('stale');
  });

  it('gives no ids twice after a restart', async () => {
    await (await open()).accept(assign(1, newAssignment('a')));
    const after = await open();
    await after.accept(assign(2, newAssignment('b')));
    expect(after.pods().get('b')?.userNamespace?.firstId).toBe(1_114_112);
  });

  it('has no secret on disk in the clear, and files for their owner only', async () => {
    const ledger = await open();
    await ledger.accept(
      assign(1, { ...newAssignment('a'), secrets: new Map([['token', secret]]) }),
    );
    const path = join(dir, 'pods', 'a.json');
    const text = await readFile(path, 'utf8');
    expect(text).not.toContain('aHVudGVyMg==');
    expect(text).not.toContain('password');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('removes what a writer that was killed has left', async () => {
    await (await open()).accept(assign(1, newAssignment('a')));
    await writeFile(join(dir, 'pods', 'b.json.new'), '{"uid":');
    await open();
    expect(await readdir(join(dir, 'pods'))).toEqual(['a.json']);
  });

  it('leaves out a file that it cannot read, and keeps the others', async () => {
    const before = await open();
    await before.accept(snapshot(1, [newAssignment('a'), newAssignment('b')]));
    await writeFile(join(dir, 'pods', 'a.json'), '{"uid":');
    expect([...(await open()).pods().keys()]).toEqual(['b']);
    expect([...(await open(Buffer.alloc(32, 8))).pods().keys()]).toEqual([]);
  });

  it('removes the file of a pod that is no longer assigned', async () => {
    const ledger = await open();
    await ledger.accept(snapshot(1, [newAssignment('a'), newAssignment('b')]));
    await ledger.accept(snapshot(2, [newAssignment('b')]));
    expect(await readdir(join(dir, 'pods'))).toEqual(['b.json']);
  });

  it('rejects what it could not write, and knows nothing of it', async () => {
    const ledger = await open();
    await rm(dir, { recursive: true });
    await expect(ledger.accept(assign(1, newAssignment('a')))).rejects.toMatchObject({
      name: 'LedgerError',
    });
    expect(ledger.pods().size).toBe(0);
  });

  it('makes the node’s key once', async () => {
    const path = join(dir, 'ledger.key');
    const made = await ensureNodeKey(path, systemRng());
    expect(made).toHaveLength(32);
    expect(await ensureNodeKey(path, systemRng())).toEqual(made);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });
});
