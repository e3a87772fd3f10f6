import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { conditionOf } from '../../../../api/condition.ts';
import { kinds } from '../../../../api/kinds.ts';
import { Lease } from '../../../../api/lease.ts';
import { Node } from '../../../../api/node.ts';
import { Pod } from '../../../../api/pod.ts';
import { formatMicroTime } from '../../../../base/clock.ts';
import { silentLog } from '../../../../base/log.ts';
import { nodeLifecycleLoop } from '../../../../controller/controllers/node-lifecycle.ts';
import { sharedIndexes } from '../../../../controller/store/indexes.ts';
import { type RunningLoops, runLoops } from '../../../../controller/store/run-loops.ts';
import { anObject } from '../../../support/an-object.ts';
import { type ObjectWorld, objectWorld } from '../../../support/object-world.ts';
import { seededRng } from '../../../support/seeded-rng.ts';

/** Three nodes with a pod each, heard at second 0. A lease runs out after 4 s, and pods stay for 2 s more. */
const names = ['n1', 'n2', 'n3'];
let world: ObjectWorld;
let running: RunningLoops;
beforeEach(async () => {
  world = await objectWorld({ indexes: sharedIndexes });
  const { objects, cache, clock } = world;
  for (const name of names) {
    const node = anObject(Node, { metadata: { name } });
    await objects.create(Node, { ...node, status: { conditions: [ready] } });
    const spec = { leaseDurationSeconds: 4, renewTime: formatMicroTime(clock.now()) };
    const metadata = { name, namespace: 'kube-node-lease' };
    await objects.create(Lease, anObject(Lease, { metadata, spec }));
    const containers = [{ name: 'c', image: 'c:1' }];
    const pod = { metadata: { name: `on-${name}` }, spec: { nodeName: name, containers } };
    await objects.create(Pod, anObject(Pod, pod));
  }
  await world.settled();
  const rest = { kinds, rng: seededRng(1), log: silentLog, recordEvent: () => {} };
  running = runLoops([nodeLifecycleLoop()], { objects, cache, clock, ...rest });
  await quiet();
});
afterEach(async () => {
  await running.stop();
  await world.stop();
});

const ready = { type: 'Ready', status: 'True' } as const;

/** Until the loop has nothing more to do at this moment. */
async function quiet(): Promise<void> {
  let before: number;
  do {
    before = await world.store.revision();
    await world.settled();
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  } while ((await world.store.revision()) !== before);
}

const renew = (name: string) =>
  world.objects.modify(
    Lease,
    { key: { namespace: 'kube-node-lease', name }, part: 'all' },
    (lease) => ({
      ...lease,
      spec: { ...lease.spec, renewTime: formatMicroTime(world.clock.now()) },
    }),
  );

/** As the dispatcher: what the controller took away is given back. */
async function beat(name: string): Promise<void> {
  await renew(name);
  await world.objects.modify(Node, { key: { namespace: '', name }, part: 'status' }, (node) => ({
    ...node,
    status: { ...node.status, conditions: [ready] },
  }));
}

/** So long these beat, every half second, and nobody else. */
async function hear(
  seconds: number,
  beating: readonly string[],
  how: (name: string) => Promise<unknown> = beat,
): Promise<void> {
  for (let passed = 0; passed < seconds; passed += 0.5) {
    world.clock.advance(500);
    for (const name of beating) await how(name);
    await quiet();
  }
}

const lost = () =>
  names.filter((name) => {
    const node = world.cache.get(Node, { namespace: '', name });
    return node && conditionOf(node, 'Ready')?.status === 'Unknown';
  });
const evicted = () =>
  names.filter((name) => {
    const pod = world.cache.get(Pod, { namespace: 'default', name: `on-${name}` });
    return pod?.metadata.deletionTimestamp !== undefined;
  });

describe('the pods of a silent node', () => {
  it('are evicted two seconds after it is lost, while others are heard', async () => {
    await hear(3.5, ['n2', 'n3']);
    expect(lost()).toEqual([]);
    await hear(2, ['n2', 'n3']);
    expect([lost(), evicted()]).toEqual([['n1'], []]);
    await hear(0.5, ['n2', 'n3']);
    expect([lost(), evicted()]).toEqual([['n1'], ['n1']]);
  });

  it('stay for ten seconds more when the controller itself has stood still', async () => {
    world.clock.advance(3500);
    await Promise.all(['n2', 'n3'].map(beat));
    await quiet();
    await hear(0.5, ['n2', 'n3']);
    expect(lost()).toEqual(['n1']);
    await hear(9, ['n2', 'n3']);
    expect(evicted()).toEqual([]);
    await hear(2, ['n2', 'n3']);
    expect(evicted()).toEqual(['n1']);
  });

  it('stay when its lease is renewed and its Ready is still to be written', async () => {
    await hear(5.5, ['n2', 'n3']);
    expect(lost()).toEqual(['n1']);
    await renew('n1');
    await quiet();
    await hear(20, names, renew);
    expect([lost(), evicted()]).toEqual([['n1'], []]);
    await hear(0.5, names);
    expect([lost(), evicted()]).toEqual([[], []]);
  });
});

describe('the pods of all nodes, silent at once', () => {
  it('stay: it is rather the controller that hears nothing; so do, for ten seconds, those of nodes heard last', async () => {
    await hear(60, []);
    expect([lost(), evicted()]).toEqual([names, []]);
    await hear(8, ['n1']);
    await hear(0.5, ['n1', 'n2']);
    expect([lost(), evicted()]).toEqual([['n3'], []]);
    await hear(2.5, ['n1', 'n2']);
    expect([lost(), evicted()]).toEqual([['n3'], ['n3']]);
  });
});
