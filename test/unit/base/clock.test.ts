import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { repeat, systemClock } from '../../../base/clock.ts';
import { fakeClock } from '../../support/fake-clock.ts';

const tenTurns = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

describe('the system clock', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('does not fire at once what is further off than a timer can say', async () => {
    let fired = 0;
    // The deadline of a Deployment with progressDeadlineSeconds: 2147483647, which means "none".
    systemClock().after(2_147_483_647_000, () => fired++);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(fired).toBe(0);
  });
});

describe('repeat', () => {
  it('counts the time from the end of the last run', async () => {
    const clock = fakeClock();
    const runs = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let started = 0;
    const stop = repeat(clock, 10, () => runs[started++]?.promise);
    clock.advance(100);
    await tenTurns();
    expect(started).toBe(1);
    runs[0]?.resolve();
    await tenTurns();
    clock.advance(10);
    expect(started).toBe(2);
    runs[1]?.resolve();
    await stop();
  });

  it('starts nothing more when it is stopped in the middle of a run, and waits for that', async () => {
    const clock = fakeClock();
    const run = Promise.withResolvers<void>();
    let started = 0;
    const stop = repeat(clock, 10, () => {
      started++;
      return run.promise;
    });
    clock.advance(10);
    let isStopped = false;
    const stopping = stop().then(() => (isStopped = true));
    await tenTurns();
    expect(isStopped).toBe(false);
    run.resolve();
    await stopping;
    clock.advance(1000);
    expect(started).toBe(1);
  });
});
