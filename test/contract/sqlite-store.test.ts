import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStore } from '../../controller/store/sqlite-store.ts';
import { storeContract } from './store.contract.ts';

storeContract('the SQLite store', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'orc-store-'));
  const open = () => openSqliteStore({ path: join(directory, 'store', 'orc.db') });
  return { open, reopen: open, cleanUp: () => rm(directory, { recursive: true }) };
});
