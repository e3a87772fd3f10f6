import { expect, it } from 'vitest';
import { openTurns } from '../../../base/turns.ts';

it('runs what has one key one after the other, whatever becomes of it, and keys beside one another', async () => {
  const inTurn = openTurns();
  const log: string[] = [];
  const act =
    (name: string, fails = false) =>
    async () => {
      log.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      log.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    };
  const outcomes = await Promise.allSettled([
    inTurn('k', act('a', true)),
    inTurn('k', act('b')),
    inTurn('other', act('c')),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
  expect(log.indexOf('b begins')).toBeGreaterThan(log.indexOf('a ends'));
  expect(log.indexOf('c begins')).toBeLessThan(log.indexOf('a ends'));
});
