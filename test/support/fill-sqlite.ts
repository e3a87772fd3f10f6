import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { openSqliteStore } from '../../controller/store/sqlite-store.ts';
import { StoreError } from '../../controller/store/store.ts';

/**
 * Runs in a mount namespace of its own: mounts a file system of 2 MiB at argv[2], fills it through a store, and prints
 * as JSON what the store said then and what it still holds, at once and when opened again.
 */
const [, , directory = ''] = process.argv;
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', directory]);
if (mounted.status !== 0) throw new Error(String(mounted.stderr));

const open = () => openSqliteStore({ path: join(directory, 'store.db') });

let store = await open();
const acknowledged: string[] = [];
let refusal: StoreError | undefined;
for (let i = 0; refusal === undefined; i++) {
  const key = `/k${String(i).padStart(4, '0')}`;
  const puts = [{ key, value: new Uint8Array(20_000) }];
  try {
    await store.commit({ expect: [], puts, deletes: [] });
    acknowledged.push(key);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    refusal = error;
  }
}

const held = async () => (await store.list('/')).entries.map(({ key }) => key);
const before = await held();
await store.close();
store = await open();
const after = await held();
await store.close();
console.log(JSON.stringify({ reason: refusal.reason, acknowledged, before, after }));
