import { describe, expect, it } from 'vitest';
import { type LogLineOptions, logLineFormatter } from '../../../../agent/runtime/log-lines.ts';

const at = (second: number) => `2026-01-02T03:04:0${second}.123456789Z`;
const log = [
  `${at(1)} stdout F one`,
  `${at(2)} stdout P two, `,
  `${at(3)} stderr F between`,
  `${at(4)} stdout F continued`,
  'torn by a crash',
  `${at(5)} stdout F `,
  '',
].join('\n');
const plain: LogLineOptions = { timestamps: false, sinceMs: undefined };

const format = (options: Partial<LogLineOptions>, size = log.length) => {
  const next = logLineFormatter({ ...plain, ...options });
  let text = '';
  for (let from = 0; from < log.length; from += size)
    text += next(Buffer.from(log.slice(from, from + size))).toString();
  return text;
};

describe('a log', () => {
  it('is what was printed, long lines in one piece', () => {
    expect(format({})).toBe('one\ntwo, between\ncontinued\n\n');
  });

  it('is the same however it is cut', () => {
    for (const size of [1, 2, 7, 40]) expect(format({}, size)).toBe(format({}));
  });

  it('shows times at the beginnings of lines only', () => {
    expect(format({ timestamps: true }).split('\n')).toEqual([
      `${at(1)} one`,
      `${at(2)} two, ${at(3)} between`,
      'continued',
      `${at(5)} `,
      '',
    ]);
  });

  it('begins where it is asked to', () => {
    expect(format({ sinceMs: Date.parse(at(4)) })).toBe('continued\n\n');
  });
});
