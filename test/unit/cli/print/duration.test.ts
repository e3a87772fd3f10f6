import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../../base/flags.ts';
import { formatDuration, parseDuration } from '../../../../cli/print/duration.ts';

describe('formatDuration', () => {
  const cases: readonly [ms: number, text: string][] = [
    [0, '0.0 s'],
    [940, '0.9 s'],
    [9_949, '9.9 s'],
    [9_950, '10 s'],
    [59_400, '59 s'],
    [59_600, '1 min'],
    [125_000, '2 min 5 s'],
  ];
  for (const [ms, text] of cases)
    it(`shows ${ms} ms as ${text}`, () => expect(formatDuration(ms)).toBe(text));
});

describe('parseDuration', () => {
  const cases: readonly [text: string, ms: number][] = [
    ['90', 90_000],
    ['90s', 90_000],
    ['100ms', 100],
    ['1.5h', 5_400_000],
    ['1h30m', 5_400_000],
    ['2d', 172_800_000],
  ];
  for (const [text, ms] of cases)
    it(`reads ${text} as ${ms} ms`, () => expect(parseDuration(text, 'since')).toBe(ms));

  for (const text of ['', 'soon', '5 m', '5x', '-5s', 's'])
    it(`refuses "${text}"`, () => expect(() => parseDuration(text, 'since')).toThrow(UsageError));
});
