import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../base/log.ts';
import { openSqliteStore } from '../../controller/store/sqlite-store.ts';
import { type StoreUnderTest, storeContract } from './store.contract.ts';

storeContract('the SQLite store', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'orc-store-'));
  const open: StoreUnderTest['open'] = (deps) =>
    openSqliteStore({ ...deps, path: join(directory, 'store', 'orc.db'), log: silentLog });
  return { open, reopen: open, cleanUp: () => rm(directory, { recursive: true }) };
});
