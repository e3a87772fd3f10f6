import { afterAll, beforeAll } from 'vitest';
import { systemClock } from '../../../base/clock.ts';
import { silentLog } from '../../../base/log.ts';
import { systemRng } from '../../../base/rng.ts';
import { openEtcdStore } from '../../../controller/store/etcd-store.ts';
import { startEtcd, type TestEtcd } from '../../support/etcd.ts';
import { findKubectls } from '../../support/kubectl.ts';
import { kubectlSuite } from './suite.ts';

let etcd: TestEtcd;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd?.stop());

const kubectls = findKubectls();
const ends = new Set([kubectls[0], kubectls.at(-1)]);

kubectlSuite('kubectl, oldest and newest, on etcd', {
  kubectls: kubectls.filter((kubectl) => ends.has(kubectl)),
  openStore: () =>
    openEtcdStore({
      ...{ urls: etcd.urls, keyspace: 'kubectl' },
      ...{ clock: systemClock(), rng: systemRng(), log: silentLog },
    }),
});
