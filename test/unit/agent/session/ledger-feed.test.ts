import { describe, expect, it } from 'vitest';
import { ledgerFeed } from '../../../../agent/session/ledger-feed.ts';
import type { ControllerMessage, NetworkDelta } from '../../../../api/generated/agent.ts';
import { aPod } from '../../../support/a-pod.ts';

type Said = NonNullable<ControllerMessage['message']>;

const generation = (revision: number) => ({ epoch: 1, revision });
const welcome: Said = {
  $case: 'welcome',
  value: {
    podCidr: '10.244.0.0/22',
    clusterPodCidr: '10.244.0.0/14',
    serviceCidr: '10.96.0.0/16',
    dnsServiceIp: '10.96.0.10',
    clusterDomain: 'cluster.local',
    leading: true,
    fenceEpoch: 1,
  },
};
const begin: Said = { $case: 'snapshotBegin', value: { generation: generation(5) } };
const end: Said = { $case: 'snapshotEnd', value: {} };
const assign = (uid: string): Said => ({
  $case: 'assign',
  value: {
    generation: generation(5),
    uid,
    podJson: JSON.stringify(aPod({}, { uid })),
    configMapJson: [],
    secretJson: [],
    runtimeHandler: '',
  },
});
const delta = (parts: Partial<NetworkDelta>, revision = 6): Said => ({
  $case: 'network',
  value: {
    generation: generation(revision),
    nodes: [],
    removedNodes: [],
    services: [],
    removedServices: [],
    ...parts,
  },
});
const service = (name: string) => ({ namespace: 'default', name, ports: [], addresses: [] });

const changesOf = (...messages: readonly Said[]) => {
  const changeFor = ledgerFeed();
  return messages.flatMap((message) => changeFor(message) ?? []);
};

describe('what the controller says, as changes of the ledger', () => {
  it('is nothing before the end of the snapshot, and then all of it', () => {
    const [change, ...others] = changesOf(
      welcome,
      begin,
      assign('a'),
      assign('b'),
      delta({ nodes: [{ name: 'host1', address: '192.168.0.7', podCidr: '10.244.0.0/22' }] }, 5),
      end,
    );
    expect(others).toEqual([]);
    expect(change).toMatchObject({
      kind: 'snapshot',
      generation: generation(5),
      pods: [{ uid: 'a' }, { uid: 'b' }],
      network: { podCidr: '10.244.0.0/22', nodes: [{ name: 'host1' }], services: [] },
    });
  });

  it('is nothing when the stream ends within the snapshot', () => {
    expect(changesOf(welcome, begin, assign('a'))).toEqual([]);
  });

  it('is one change for each assignment and removal after it', () => {
    const remove: Said = { $case: 'remove', value: { uid: 'a', generation: generation(7) } };
    expect(changesOf(welcome, begin, end, assign('a'), remove).slice(1)).toMatchObject([
      { kind: 'assign', pod: { uid: 'a' } },
      { kind: 'remove', uid: 'a', generation: generation(7) },
    ]);
  });

  it('is the whole table after each delta, its rows in order', () => {
    const tables = changesOf(
      welcome,
      begin,
      delta({ services: [service('b')] }, 5),
      end,
      delta({ services: [service('a')] }),
      delta({ removedServices: ['default/b'] }, 7),
    ).map((change) => ('network' in change ? change.network.services.map((s) => s.name) : []));
    expect(tables).toEqual([['b'], ['a', 'b'], ['a']]);
  });

  it('never changes a table that was given out', () => {
    const [first, second] = changesOf(welcome, begin, end, delta({ services: [service('a')] }));
    expect([first, second]).toMatchObject([
      { network: { services: [] } },
      { network: { services: [{ name: 'a' }] } },
    ]);
  });
});
