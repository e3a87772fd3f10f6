import { expect, it } from 'vitest';
import { printable } from '../../../../cli/print/colour.ts';
import { type Description, formatDescription } from '../../../../cli/print/sections.ts';
import { formatTable } from '../../../../cli/print/table.ts';

const hostile = 'RUN\t\u001b[31mred\u0007\nnext\u009b2J';

it('what others have written is shown without what a terminal would obey', () => {
  expect(printable(hostile)).toBe('RUN [31mred next 2J');
  expect(printable('as  it  is')).toBe('as  it  is');
});

it('tables and descriptions show it so', () => {
  const layout = { width: undefined, paint: (_: unknown, text: string) => text };
  const table = {
    headers: ['NAME', 'MESSAGE'],
    rows: [
      ['web', hostile],
      ['w', 'x'],
    ],
  };
  expect(formatTable(table, layout)).toEqual([
    'NAME   MESSAGE',
    'web    RUN [31mred next 2J',
    'w      x',
  ]);
  const description: Description = {
    facts: [['said', hostile]],
    sections: [{ title: 'X', lines: [hostile] }],
  };
  expect(formatDescription('pod/web', description, layout)).not.toMatch(/[^\P{Cc}\n]/u);
});
