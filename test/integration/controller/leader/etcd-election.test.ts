import { once } from 'node:events';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../../../base/clock.ts';
import { silentLog } from '../../../../base/log.ts';
import { systemRng } from '../../../../base/rng.ts';
import { standForElection } from '../../../../controller/leader/election.ts';
import type { Term } from '../../../../controller/leader/term.ts';
import { openEtcdStore } from '../../../../controller/store/etcd-store.ts';
import type { Store } from '../../../../controller/store/store.ts';
import { startEtcd, type TestEtcd } from '../../../support/etcd.ts';
import { waitFor } from '../../../support/wait-for.ts';

const base = { clock: systemClock(), rng: systemRng(), log: silentLog };
const afterwards: (() => Promise<unknown>)[] = [];
let etcd: TestEtcd;
beforeEach(async () => {
  etcd = await startEtcd(3);
});
afterEach(async () => {
  for (const undo of afterwards.splice(0).toReversed()) await undo();
  await etcd.stop();
});

/** Stands for election at the members with these numbers; `cut` is what pulling its machine's plug is for it. */
async function candidate(name: string, members: readonly number[]) {
  const urls = members.map((i) => etcd.urls[i] ?? '');
  const store = await openEtcdStore({ urls, ...base });
  let isCut = false;
  let beats = 0;
  const never = new Promise<never>(() => {});
  const cuttable: Store = {
    ...store,
    commit: (transaction) => (isCut ? never : store.commit(transaction)),
    async *watch(prefix, options) {
      for await (const changes of store.watch(prefix, options)) {
        beats += changes.length;
        yield changes;
      }
    },
  };
  let term: Term | undefined;
  const stop = standForElection({
    ...{ ...base, store: cuttable, candidate: name, isAlone: false },
    async lead(begun) {
      term = begun;
      await once(begun.signal, 'abort');
    },
  });
  afterwards.push(() => store.close());
  return {
    leads: () => term?.holds() === true,
    hears: () => beats > 0,
    cut: () => void (isCut = true),
    stop: () => void afterwards.push(stop),
  };
}

/** Which member etcd's own leader is. */
async function leaderOfEtcd(): Promise<number> {
  const statuses = etcd.urls.map(async (url) => {
    const answer = await fetch(`${url}/v3/maintenance/status`, { method: 'POST', body: '{}' });
    const { leader, header } = (await answer.json()) as {
      leader: string;
      header: { member_id: string };
    };
    return leader === header.member_id;
  });
  return (await Promise.all(statuses)).indexOf(true);
}

it('has another leader within 5 s when the machine goes that had both leaders, orc’s and etcd’s', async () => {
  const gone = await leaderOfEtcd();
  const [here = 0, there = 0] = [0, 1, 2].filter((i) => i !== gone);
  const first = await candidate('first', [gone, here, there]);
  await waitFor('a first leader', first.leads);
  const second = await candidate('second', [here, there, gone]);
  second.stop();
  await waitFor('a beat', second.hears);
  first.cut();
  await etcd.kill(gone);
  await waitFor('another leader', second.leads, 5000);
  expect(first.leads()).toBe(false);
});
