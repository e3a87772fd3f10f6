import { describe, expect, it } from 'vitest';
import type { Paint } from '../../../../cli/print/colour.ts';
import { formatTable, type TextTable } from '../../../../cli/print/table.ts';

const plain: Paint = (_, text) => text;

const table: TextTable = {
  headers: ['NAME', 'STATUS', 'MESSAGE'],
  rows: [
    ['web-1', 'Running', 'fine'],
    ['a-much-longer-name', 'CrashLoopBackOff', 'back-off 10s restarting failed container'],
  ],
};

describe('formatTable', () => {
  it('aligns columns, without spaces at the ends of lines', () => {
    expect(formatTable(table, { width: undefined, paint: plain })).toEqual([
      'NAME                 STATUS             MESSAGE',
      'web-1                Running            fine',
      'a-much-longer-name   CrashLoopBackOff   back-off 10s restarting failed container',
    ]);
  });

  it('cuts the widest columns to fit a terminal, never a name', () => {
    const lines = formatTable(table, { width: 60, paint: plain });
    expect(lines).toEqual([
      'NAME                 STATUS             MESSAGE',
      'web-1                Running            fine',
      'a-much-longer-name   CrashLoopBackOff   back-off 10s restar…',
    ]);
    expect(Math.max(...lines.map((line) => line.length))).toBe(60);
  });

  it('stays readable where nothing fits', () => {
    const [, , last] = formatTable(table, { width: 10, paint: plain });
    expect(last).toBe('a-much-longer-name   CrashLoopBa…   back-off 10…');
  });

  it('paints states and headers without moving anything', () => {
    const tagged: Paint = (style, text) => `<${style}>${text}</>`;
    const lines = formatTable(table, { width: undefined, paint: tagged });
    expect(lines[1]).toBe('web-1                <good>Running</>            fine');
    expect(lines[2]).toContain('<bad>CrashLoopBackOff</>   back-off');
    expect(lines[0]).toContain('<bold>NAME</>');
  });

  it('leaves headers out when asked', () => {
    expect(formatTable(table, { width: undefined, paint: plain, showHeaders: false })).toHaveLength(
      2,
    );
  });
});
