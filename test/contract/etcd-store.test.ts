import { afterAll, beforeAll } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { systemRng } from '../../base/rng.ts';
import { openEtcdStore } from '../../controller/store/etcd-store.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { storeContract } from './store.contract.ts';

let etcd: TestEtcd;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd?.stop());

let stores = 0;

/** One etcd for all: each store has keys of its own, and counts from its own beginning. */
storeContract('the etcd store', async () => {
  const keyspace = `store${stores++}`;
  const open = () =>
    openEtcdStore({
      urls: etcd.urls,
      keyspace,
      clock: systemClock(),
      rng: systemRng(),
      log: silentLog,
    });
  return { open, reopen: open, cleanUp: async () => {} };
});
