import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Event } from '../../../../api/event.ts';
import type { Kind, KubeObject } from '../../../../api/kind.ts';
import { kinds } from '../../../../api/kinds.ts';
import { Node } from '../../../../api/node.ts';
import { Pod } from '../../../../api/pod.ts';
import type { Fields } from '../../../../api/schema.ts';
import { formatTime } from '../../../../base/clock.ts';
import { silentLog } from '../../../../base/log.ts';
import { eventExpiryLoop } from '../../../../controller/controllers/event-expiry.ts';
import { podGarbageLoop } from '../../../../controller/controllers/pod-garbage.ts';
import { sharedIndexes } from '../../../../controller/store/indexes.ts';
import { type RunningLoops, runLoops } from '../../../../controller/store/run-loops.ts';
import { anObject } from '../../../support/an-object.ts';
import { type ObjectWorld, objectWorld } from '../../../support/object-world.ts';
import { seededRng } from '../../../support/seeded-rng.ts';

let world: ObjectWorld;
let running: RunningLoops;
beforeEach(async () => {
  world = await objectWorld({ indexes: sharedIndexes });
  const { objects, cache, clock } = world;
  const rest = { kinds, rng: seededRng(1), log: silentLog, recordEvent: () => {} };
  running = runLoops([eventExpiryLoop, podGarbageLoop], { objects, cache, clock, ...rest });
});
afterEach(async () => {
  await running.stop();
  await world.stop();
});

const create = <F extends Fields>(kind: Kind<F>, object: KubeObject<F>) =>
  world.objects.create(kind, object);
/** Moves the time in steps, and lets the loops work in between. */
const pass = async (seconds: number) => {
  for (let i = 0; i < 10; i++) {
    world.clock.advance(seconds * 100);
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
  await world.settled();
};

const event = (name: string, lastTimestamp = '2026-01-01T00:00:00Z') =>
  anObject(Event, {
    metadata: { name },
    involvedObject: { kind: 'Pod', name: 'p' },
    lastTimestamp,
  });

describe('an event', () => {
  const names = () => world.cache.list(Event).map(({ metadata }) => metadata.name);

  it('goes an hour after it last happened', async () => {
    await create(Event, event('a'));
    await pass(3590);
    expect(names()).toEqual(['a']);
    await pass(20);
    expect(names()).toEqual([]);
  });

  it('stays when it happens again', async () => {
    await create(Event, event('a'));
    await pass(1800);
    const target = { key: { namespace: 'default', name: 'a' }, part: 'all' } as const;
    await world.objects.modify(Event, target, (stored) => ({
      ...stored,
      lastTimestamp: '2026-01-01T00:30:00Z',
    }));
    await pass(3590);
    expect(names()).toEqual(['a']);
    await pass(20);
    expect(names()).toEqual([]);
  });

  it('stays when its series goes on', async () => {
    const lastObservedTime = '2026-01-01T00:30:00.000000Z';
    await create(Event, { ...event('a'), series: { count: 2, lastObservedTime } });
    await pass(3700);
    expect(names()).toEqual(['a']);
    await pass(1800);
    expect(names()).toEqual([]);
  });
});

describe('events', () => {
  it('are bounded in number: those that happened longest ago go', async () => {
    for (let i = 0; i <= 5000; i++) {
      const at = formatTime(Date.UTC(2026, 0, 1) - (i % 2500) * 1000);
      await create(Event, event(`e${i}`, at));
    }
    for (let turn = 0; turn < 20; turn++) await pass(0);
    const left = world.cache
      .list(Event)
      .map(({ metadata }) => Number(metadata.name.slice(1)) % 2500);
    expect([left.length, Math.max(...left)]).toEqual([4500, 2249]);
  }, 30_000);
});

describe('a pod', () => {
  const pod = (node: string) =>
    anObject(Pod, {
      metadata: { name: 'p' },
      spec: { nodeName: node, containers: [{ name: 'c', image: 'c:1' }] },
    });

  it('stays as long as its node is there, and goes with it', async () => {
    await create(Node, anObject(Node, { metadata: { name: 'n1' } }));
    await create(Pod, pod('n1'));
    await pass(60);
    expect(world.cache.list(Pod)).toHaveLength(1);
    await world.objects.delete(Node, { namespace: '', name: 'n1' });
    await pass(1);
    expect(world.cache.list(Pod)).toEqual([]);
  });

  it('that names a node may wait ten seconds for it', async () => {
    await create(Pod, pod('later'));
    await pass(9);
    expect(world.cache.list(Pod)).toHaveLength(1);
    await pass(2);
    expect(world.cache.list(Pod)).toEqual([]);
  });
});
