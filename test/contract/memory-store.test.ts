import { silentLog } from '../../base/log.ts';
import { openMemoryStore } from './fakes/memory-store.ts';
import { storeContract } from './store.contract.ts';

storeContract('the memory store', async () => ({
  open: (deps) => openMemoryStore({ ...deps, log: silentLog }),
  cleanUp: async () => {},
}));
