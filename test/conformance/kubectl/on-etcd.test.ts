import { afterAll, beforeAll } from 'vitest';
import { systemClock } from '../../../base/clock.ts';
import { silentLog } from '../../../base/log.ts';
import { systemRng } from '../../../base/rng.ts';
import { openEtcdStore } from '../../../controller/store/etcd-store.ts';
import { startEtcd, type TestEtcd } from '../../support/etcd.ts';
import { findKubectls, outermostKubectls } from '../../support/kubectl.ts';
import { kubectlSuite } from './suite.ts';

let etcd: TestEtcd;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd?.stop());

/** Each version: `make soak`. */
const isSoak = process.env.SOAK_FACTOR !== undefined;

kubectlSuite(`kubectl, ${isSoak ? 'each version' : 'oldest and newest'}, on etcd`, {
  kubectls: isSoak ? findKubectls() : outermostKubectls(),
  openStore: () =>
    openEtcdStore({
      ...{ urls: etcd.urls, keyspace: 'kubectl' },
      ...{ clock: systemClock(), rng: systemRng(), log: silentLog },
    }),
});
