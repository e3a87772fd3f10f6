import { openMemoryStore } from './fakes/memory-store.ts';
import { storeContract } from './store.contract.ts';

storeContract('the memory store', async () => ({
  open: async () => openMemoryStore(),
  cleanUp: async () => {},
}));
