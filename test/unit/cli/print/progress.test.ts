import { describe, expect, it } from 'vitest';
import type { Output } from '../../../../cli/io.ts';
import { openProgress } from '../../../../cli/print/progress.ts';
import { fakeClock } from '../../../support/fake-clock.ts';

function written(isTTY: boolean): { output: Output; text(): string } {
  let text = '';
  const output: Output = {
    isTTY,
    columns: 20,
    write: (chunk) => {
      text += String(chunk);
      return true;
    },
    on: () => undefined,
    off: () => undefined,
    once: () => undefined,
  };
  return { output, text: () => text };
}

const erase = '\r\u001b[2K';

describe('progress on a terminal', () => {
  it('redraws one line, and only when it has changed', () => {
    const { output, text } = written(true);
    const progress = openProgress(output, fakeClock());
    progress.update('1/2');
    progress.update('1/2');
    progress.update('2/2');
    progress.end('2/2 done');
    expect(text()).toBe(`${erase}1/2${erase}2/2${erase}2/2 done\n`);
  });

  it('cuts the line at the edge, so that it can be erased', () => {
    const { output, text } = written(true);
    openProgress(output, fakeClock()).update('a line that is longer than the terminal');
    expect(text()).toBe(`${erase}a line that is lon…`);
  });

  it('puts lines that stay above the one that changes', () => {
    const { output, text } = written(true);
    const progress = openProgress(output, fakeClock());
    progress.update('1/2');
    progress.note('pulled');
    progress.end();
    expect(text()).toBe(`${erase}1/2${erase}pulled\n1/2${erase}`);
  });
});

describe('progress in a pipe', () => {
  it('prints plain lines, now and then, and the last one always', () => {
    const { output, text } = written(false);
    const clock = fakeClock();
    const progress = openProgress(output, clock);
    progress.update('1/4');
    clock.advance(2_000);
    progress.update('2/4');
    progress.update('3/4');
    progress.end('4/4');
    expect(text()).toBe('2/4\n4/4\n');
  });
});
