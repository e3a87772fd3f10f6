import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../../api/config-map.ts';
import { kinds } from '../../../../api/kinds.ts';
import { silentLog } from '../../../../base/log.ts';
import { formatKey, parseKey } from '../../../../controller/store/keys.ts';
import type { Loop } from '../../../../controller/store/loop.ts';
import { type RunningLoops, runLoops } from '../../../../controller/store/run-loops.ts';
import type { Store } from '../../../../controller/store/store.ts';
import { type ObjectWorld, objectWorld } from '../../../support/object-world.ts';
import { seededRng } from '../../../support/seeded-rng.ts';

let world: ObjectWorld;
let running: RunningLoops | undefined;
beforeEach(async () => {
  world = await objectWorld();
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
  await world.stop();
});

const create = (name: string, data: Record<string, string> = {}) =>
  world.objects.create(ConfigMap, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: 'a', name },
    data,
  });
const loop = (reconcile: Loop['reconcile']): Loop => ({
  name: 'test',
  workers: 2,
  wakes: ({ kind, key }) => (kind === ConfigMap ? [formatKey(key)] : []),
  reconcile,
});
const run = (...loops: readonly Loop[]) => {
  const { objects, cache, clock } = world;
  const rest = { kinds, rng: seededRng(1), log: silentLog, recordEvent: () => {} };
  running = runLoops(loops, { objects, cache, clock, ...rest });
};
/** A watch that is some turns behind. */
const late = (store: Store): Store => ({
  ...store,
  async *watch(prefix, options) {
    for await (const changes of store.watch(prefix, options)) {
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      yield changes;
    }
  },
});
const until = async (holds: () => boolean) => {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
};

describe('a loop', () => {
  it('is woken for everything that exists at the start, and for every change', async () => {
    await create('x');
    await world.settled();
    const keys: string[] = [];
    run(
      loop(async (key) => {
        keys.push(key);
      }),
    );
    await until(() => keys.length === 1);
    await create('y');
    await until(() => keys.length === 2);
    expect(keys).toEqual(['a/x', 'a/y']);
  });

  it('looks at everything again from time to time', async () => {
    await create('x');
    await world.settled();
    let passes = 0;
    run(
      loop(async () => {
        passes++;
      }),
    );
    await until(() => passes === 1);
    world.clock.advance(10 * 60_000);
    await until(() => passes === 2);
  });

  it('finds its own writes in the cache, however late the cache is', async () => {
    await world.stop();
    world = await objectWorld({ seenByCache: late });
    const found: number[] = [];
    const lost: unknown[] = [];
    run(
      loop(async (key, { cache, objects }) => {
        const stored = cache.get(ConfigMap, parseKey(key));
        const n = Number(stored?.data?.n ?? 0);
        found.push(n);
        if (!stored || n === 20) return;
        const next = { ...stored, data: { n: String(n + 1) } };
        await objects.update(ConfigMap, next, 'main').catch((error) => lost.push(error));
        return 0;
      }),
    );
    await create('x', { n: '0' });
    while (found.at(-1) !== 20) {
      world.clock.advance(1);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(found).toEqual(found.toSorted((x, y) => x - y));
    expect(lost, 'no write was based on an older state').toEqual([]);
  });

  it('tries again later what failed', async () => {
    let passes = 0;
    run(
      loop(async () => {
        passes++;
        if (passes === 1) throw new Error('not now');
      }),
    );
    await create('x');
    await until(() => passes === 1);
    await new Promise((resolve) => setImmediate(resolve));
    world.clock.advance(20);
    await until(() => passes === 2);
  });
});
