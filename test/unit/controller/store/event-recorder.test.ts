import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../../api/config-map.ts';
import { Event } from '../../../../api/event.ts';
import { Namespace } from '../../../../api/namespace.ts';
import { silentLog } from '../../../../base/log.ts';
import { eventRecorder, type RecordEvent } from '../../../../controller/store/event-recorder.ts';
import { anObject } from '../../../support/an-object.ts';
import { type ObjectWorld, objectWorld } from '../../../support/object-world.ts';

let world: ObjectWorld;
let record: RecordEvent;
beforeEach(async () => {
  world = await objectWorld();
  const namespace = anObject(Namespace, { metadata: { name: 'shop' } });
  await world.objects.create(Namespace, namespace);
  await world.settled();
  record = recorder();
});
afterEach(() => world.stop());

const recorder = () => {
  const { objects, cache, clock } = world;
  return eventRecorder({ objects, cache, clock, log: silentLog });
};
const involved = anObject(ConfigMap, { metadata: { name: 'web', namespace: 'shop' } });
const happening = {
  involved,
  type: 'Warning',
  reason: 'Odd',
  message: 'something is odd',
  component: 'tester',
} as const;
/** Waits until so many writes beside the namespace are in the cache. */
const events = async (count: number) => {
  while ((await world.store.revision()) < count + 1)
    await new Promise((resolve) => setImmediate(resolve));
  await world.settled();
  return world.cache.list(Event);
};

describe('an event', () => {
  it('is kept in the namespace of what it is about, with where it comes from', async () => {
    record(happening);
    expect(await events(1)).toMatchObject([
      {
        metadata: { namespace: 'shop', name: expect.stringMatching(/^web\.[0-9a-f]{16}$/) },
        involvedObject: {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          namespace: 'shop',
          name: 'web',
          uid: involved.metadata.uid,
        },
        type: 'Warning',
        reason: 'Odd',
        message: 'something is odd',
        count: 1,
        firstTimestamp: '2026-01-01T00:00:00Z',
        lastTimestamp: '2026-01-01T00:00:00Z',
        source: { component: 'tester' },
      },
    ]);
  });

  it('that comes again at once is counted and written once more, not each time', async () => {
    record(happening);
    await events(1);
    for (let i = 0; i < 5; i++) record(happening);
    world.clock.advance(1000);
    expect(await events(2)).toMatchObject([
      {
        count: 6,
        firstTimestamp: '2026-01-01T00:00:00Z',
        lastTimestamp: '2026-01-01T00:00:01Z',
      },
    ]);
    expect(await world.store.revision()).toBe(3);
  });

  it('that comes again much later, even from another process, counts the same one up', async () => {
    record(happening);
    await events(1);
    world.clock.advance(60_000);
    recorder()(happening);
    expect(await events(2)).toMatchObject([{ count: 2, lastTimestamp: '2026-01-01T00:01:00Z' }]);
  });

  it('that says something else is another one', async () => {
    record(happening);
    record({ ...happening, message: 'something else is odd' });
    expect(await events(2)).toHaveLength(2);
  });

  it('is not kept in a namespace that goes or is gone', async () => {
    await world.objects.delete(Namespace, { namespace: '', name: 'shop' });
    await world.settled();
    record(happening);
    record({ ...happening, involved: { kind: 'Pod', name: 'x', namespace: 'never' } });
    record({ ...happening, involved: { kind: 'Node', name: 'n1' } });
    await world.settled();
    expect(await world.store.revision()).toBe(2);
  });

  it('is one of at most 25 of its object, then one for each reason; another object has its own', async () => {
    for (let n = 0; n < 40; n++) record({ ...happening, message: `odd at ${n}` });
    record({ ...happening, message: 'odd at 3' });
    const other = anObject(ConfigMap, { metadata: { name: 'api', namespace: 'shop' } });
    record({ ...happening, involved: other, message: 'odd at 40' });
    const messages = (await events(27)).map(({ message }) => message);
    const combined = messages.filter((text) => text === '(combined from similar events)');
    expect([messages.length, combined.length]).toEqual([27, 1]);
    expect(messages).toContain('odd at 40');
  });
});
