import { describe, expect, it } from 'vitest';
import type { ControllerMessage } from '../../../../api/generated/agent.ts';
import { silentLog } from '../../../../base/log.ts';
import { agentLink } from '../../../../controller/dispatcher/agent-link.ts';
import type { Cache } from '../../../../controller/store/objects.ts';
import { fakeClock } from '../../../support/fake-clock.ts';

/** An empty cluster. */
const cache: Cache = {
  revision: 7,
  get: () => undefined,
  list: () => [],
  byIndex: () => [],
  kinds: { all: [], has: () => false, at: () => undefined },
  reached: async () => {},
  onChange: () => () => {},
  changesSince: () => [],
};

const welcome = {
  podCidr: '10.244.0.0/22',
  clusterPodCidr: '10.244.0.0/14',
  serviceCidr: '10.96.0.0/16',
  dnsServiceIp: '10.96.0.10',
  clusterDomain: 'cluster.local',
  leading: true,
  fenceEpoch: 1,
};

function aLink() {
  const clock = fakeClock();
  const sent: string[] = [];
  let drain = () => {};
  let hasRoom = true;
  let cuts = 0;
  const link = agentLink({
    nodeName: 'host1',
    call: {
      write({ message }: ControllerMessage) {
        sent.push(message?.$case ?? '');
        return hasRoom;
      },
      end() {},
      destroyed: false,
      on: (_, listener) => void (drain = listener),
    },
    cut: () => cuts++,
    refuse: () => {},
    cache,
    clock,
    log: silentLog,
  });
  link.greet(welcome, () => true);
  const setRoom = (room: boolean) => {
    hasRoom = room;
    if (room) drain();
  };
  return { link, clock, sent, setRoom, cuts: () => cuts };
}

const rows = (...services: string[]) => ({ services: new Set(services), nodes: new Set<string>() });
const microtasks = () => new Promise((resolve) => setImmediate(resolve));

describe('the link to an agent', () => {
  it('begins with the welcome and a snapshot', () => {
    expect(aLink().sent).toEqual(['welcome', 'snapshotBegin', 'network', 'snapshotEnd']);
  });

  it('says nothing of assignments when its controller no longer leads, and all of them when it does again', async () => {
    const { link, sent } = aLink();
    sent.length = 0;
    link.greet({ ...welcome, leading: false }, () => false);
    link.wakeNetwork(rows('default/a'));
    await microtasks();
    expect(sent).toEqual(['welcome']);
    link.greet({ ...welcome, fenceEpoch: 3 }, () => true);
    expect(sent.slice(1)).toEqual(['welcome', 'snapshotBegin', 'network', 'snapshotEnd']);
  });

  it('says many changes of one tick in one message', async () => {
    const { link, sent } = aLink();
    sent.length = 0;
    link.wakeNetwork(rows('default/a'));
    link.wakeNetwork(rows('default/b'));
    await microtasks();
    expect(sent).toEqual(['network']);
  });

  it('queues nothing while the agent does not read, and catches up when it does', async () => {
    const { link, sent, setRoom } = aLink();
    setRoom(false);
    link.wakeNetwork(rows('default/a'));
    await microtasks();
    sent.length = 0;
    for (let i = 0; i < 100; i++) {
      link.wakeNetwork(rows(`default/s${i}`));
      await microtasks();
    }
    expect(sent).toEqual([]);
    setRoom(true);
    await microtasks();
    expect(sent).toEqual(['network']);
  });

  it('cuts an agent that leaves its stream unread for ten seconds', async () => {
    const { link, clock, setRoom, cuts } = aLink();
    setRoom(false);
    link.wakeNetwork(rows('default/a'));
    await microtasks();
    clock.advance(9_999);
    expect(cuts()).toBe(0);
    clock.advance(1);
    expect(cuts()).toBe(1);
  });

  it('does not cut an agent that read in time', async () => {
    const { link, clock, setRoom, cuts } = aLink();
    setRoom(false);
    link.wakeNetwork(rows('default/a'));
    await microtasks();
    clock.advance(9_000);
    setRoom(true);
    clock.advance(60_000);
    expect(cuts()).toBe(0);
  });
});
