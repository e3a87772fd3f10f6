import { expect, it } from 'vitest';
import { silentLog } from '../../../base/log.ts';
import { type Reconcile, runReconciler } from '../../../base/run-reconciler.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { seededRng } from '../../support/seeded-rng.ts';

const backoff = { firstMs: 100, capMs: 1000 };

function reconciling(reconcile: Reconcile<string>, workers = 4) {
  const clock = fakeClock();
  const options = {
    name: 'test',
    reconcile,
    workers,
    backoff,
    clock,
    rng: seededRng(1),
    log: silentLog,
  };
  return { clock, reconciler: runReconciler(options) };
}

/** Lets every promise that can go on do so. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

it('never runs one key twice at once, however often it is woken in one turn', async () => {
  const gate = Promise.withResolvers<void>();
  let inside = 0;
  let most = 0;
  const passes: string[] = [];
  const { reconciler } = reconciling(async (key) => {
    most = Math.max(most, ++inside);
    await gate.promise;
    inside--;
    passes.push(key);
  });
  for (let i = 0; i < 5; i++) reconciler.wake('a');
  await turn();
  for (let i = 0; i < 5; i++) reconciler.wake('a');
  gate.resolve();
  await turn();
  expect({ most, passes }).toEqual({ most: 1, passes: ['a', 'a'] });
  await reconciler.stop();
});

it('runs different keys side by side, as many as it has workers', async () => {
  const gate = Promise.withResolvers<void>();
  let inside = 0;
  const { reconciler } = reconciling(async () => {
    inside++;
    await gate.promise;
  }, 2);
  for (const key of ['a', 'b', 'c']) reconciler.wake(key);
  await turn();
  expect(inside).toBe(2);
  gate.resolve();
  await turn();
  expect(inside).toBe(3);
  await reconciler.stop();
});

it('tries again after a back-off that grows while it fails, and starts afresh after a success', async () => {
  const at: number[] = [];
  let fails = 3;
  const { clock, reconciler } = reconciling(async () => {
    at.push(clock.now());
    if (fails-- > 0) throw new Error('not yet');
  });
  reconciler.wake('a');
  for (let i = 0; i < 100; i++) {
    await turn();
    clock.advance(10);
  }
  const waits = at.slice(1).map((time, i) => time - (at[i] ?? 0));
  expect(at).toHaveLength(4);
  expect(waits[0]).toBeGreaterThanOrEqual(50);
  expect(waits[1]).toBeGreaterThanOrEqual(100);
  expect(waits[2]).toBeGreaterThanOrEqual(200);
  await reconciler.stop();
});

it('comes back when it was asked to, unless it is woken before', async () => {
  let passes = 0;
  const { clock, reconciler } = reconciling(async () => {
    passes++;
    return 1000;
  });
  reconciler.wake('a');
  await turn();
  clock.advance(999);
  await turn();
  expect(passes).toBe(1);
  reconciler.wake('a');
  await turn();
  clock.advance(999);
  await turn();
  expect(passes).toBe(2);
  clock.advance(1);
  await turn();
  expect(passes).toBe(3);
  await reconciler.stop();
});

it('stops: passes under way are aborted and waited for, no new one begins', async () => {
  let ended = false;
  const { reconciler } = reconciling(async (_key, signal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    ended = true;
  });
  reconciler.wake('a');
  await turn();
  await reconciler.stop();
  reconciler.wake('b');
  await turn();
  expect(ended).toBe(true);
});
