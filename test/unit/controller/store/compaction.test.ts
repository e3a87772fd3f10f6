import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../../base/log.ts';
import { keepCompacted } from '../../../../controller/store/compaction.ts';
import { type ObjectWorld, objectWorld } from '../../../support/object-world.ts';

let world: ObjectWorld;
beforeEach(async () => {
  world = await objectWorld();
});
afterEach(() => world.stop());

const put = () =>
  world.store.commit({
    expect: [],
    puts: [{ key: '/a', value: new Uint8Array() }],
    deletes: [],
  });
/** The first change after this revision. */
const watchFrom = async (after: number) => {
  const changes = world.store.watch('/', { after, signal: new AbortController().signal });
  for await (const [first] of changes) return first?.revision;
  return undefined;
};
const pass = async (minutes: number) => {
  for (let i = 0; i < minutes; i++) {
    world.clock.advance(60_000);
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
};

describe('history', () => {
  it('is forgotten after ten minutes, and no earlier', async () => {
    const stop = keepCompacted(world.store, world.clock, silentLog);
    await put();
    await pass(2);
    await put();
    await pass(8);
    expect(await watchFrom(0)).toBe(1);
    await pass(3);
    await expect(watchFrom(1)).rejects.toMatchObject({ reason: 'Compacted' });
    await put();
    expect(await watchFrom(2)).toBe(3);
    await stop();
  });
});
