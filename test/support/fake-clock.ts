import type { Clock } from '../../base/clock.ts';

export interface FakeClock extends Clock {
  /** Moves time forward and runs what has fallen due, in order. */
  advance(ms: number): void;
}

export function fakeClock(startMs = 0): FakeClock {
  let time = startMs;
  let timers: { at: number; fn: () => void }[] = [];
  const nextDue = (until: number) =>
    timers
      .filter((t) => t.at <= until)
      .reduce<(typeof timers)[number] | undefined>(
        (first, t) => (first === undefined || t.at < first.at ? t : first),
        undefined,
      );
  return {
    now: () => time,
    monotonic: () => time,
    after(ms, fn) {
      const timer = { at: time + ms, fn };
      timers.push(timer);
      return () => {
        timers = timers.filter((t) => t !== timer);
      };
    },
    advance(ms) {
      const until = time + ms;
      for (let due = nextDue(until); due; due = nextDue(until)) {
        const { at, fn } = due;
        timers = timers.filter((t) => t !== due);
        time = Math.max(time, at);
        fn();
      }
      time = until;
    },
  };
}
