import { describe, expect, it } from 'vitest';
import type { Transfer } from '../../../../api/node-images.ts';
import type { Output } from '../../../../cli/io.ts';
import { formatBar, formatBytes, openTransfers } from '../../../../cli/print/transfers.ts';
import { fakeClock } from '../../../support/fake-clock.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const layer = (doneBytes: number, more: Partial<Transfer> = {}): Transfer => ({
  ...{ digest, doneBytes, totalBytes: 1_000_000, isDone: false },
  ...more,
});

describe('bytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [12_345_678, '12.3 MB'],
    [1e9, '1.0 GB'],
    [5e15, '5000.0 TB'],
  ])('%i are %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});

describe('a bar', () => {
  it.each<[string, Transfer, number, string]>([
    ['not begun', layer(0), 0, '0123456789ab [>                   ] 0 B of 1.0 MB'],
    [
      'half',
      layer(500_000),
      2000,
      '0123456789ab [==========>         ] 500.0 kB of 1.0 MB, 250.0 kB/s',
    ],
    ['all there', layer(1_000_000), 2000, '0123456789ab [====================] unpacking'],
    ['done', layer(1_000_000, { isDone: true }), 2000, '0123456789ab [====================] done'],
    ['empty', layer(0, { totalBytes: 0 }), 0, '0123456789ab [>                   ] unpacking'],
  ])('of a layer that is %s', (_, transfer, ms, text) => {
    expect(formatBar({ ...transfer, ms }, 'unpacking')).toBe(text);
  });
});

function outputTo(more: Partial<Output>) {
  let text = '';
  const stderr: Output = {
    write: (chunk) => {
      text += String(chunk);
      return true;
    },
    once: () => undefined,
    on: () => undefined,
    off: () => undefined,
    ...more,
  };
  return { stderr, take: () => [text, (text = '')][0] ?? '' };
}

describe('transfers on a terminal', () => {
  it('are drawn over what was drawn before, no wider than it', () => {
    const clock = fakeClock();
    const { stderr, take } = outputTo({ isTTY: true, columns: 30, rows: 10 });
    const transfers = openTransfers({ stderr, clock }, 'unpacking');
    transfers.update([layer(0), layer(500_000, { digest: `${digest}2` })]);
    expect(take()).toBe(
      `\r\u001b[J${'0123456789ab [>              \n'}${'0123456789ab [==========>    \n'}`,
    );
    transfers.update([layer(1000)]);
    expect(take().startsWith('\u001b[2A\r\u001b[J0123')).toBe(true);
    transfers.settle();
    transfers.update([layer(1000)]);
    expect(take().startsWith('\r\u001b[J0123')).toBe(true);
  });

  it('leave out those that are done where there is no room for all', () => {
    const { stderr, take } = outputTo({ isTTY: true, columns: 80, rows: 3 });
    const transfers = openTransfers({ stderr, clock: fakeClock() }, 'unpacking');
    const many = [1, 2, 3].map((n) => layer(1, { digest: `${n}`, isDone: n < 3 }));
    transfers.update(many);
    expect(take().match(/\w \[/g)).toEqual(['3 [']);
  });
});

describe('transfers in a pipe', () => {
  it('are a line when one begins and when it is done', () => {
    const { stderr, take } = outputTo({});
    const transfers = openTransfers({ stderr, clock: fakeClock() }, 'unpacking');
    for (const doneBytes of [0, 1, 500_000, 1_000_000]) transfers.update([layer(doneBytes)]);
    expect(take()).toBe('0123456789ab: 1.0 MB\n');
    for (const _ of [1, 2]) transfers.update([layer(1_000_000, { isDone: true })]);
    expect(take()).toBe('0123456789ab: done\n');
  });
});
