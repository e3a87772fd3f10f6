import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fieldErrorReasons } from '../../api/field-error.ts';
import { statusReasons } from '../../api/status.ts';

const text = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');

/** The cells of the table below a heading, without its head. */
function tableUnder(heading: string): readonly (readonly string[])[] {
  const section = text.split(/^## /m).find((one) => one.startsWith(`${heading}\n`)) ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((row) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

describe('docs/errors.md', () => {
  it('lists every reason with its code, and no other', () => {
    const documented = tableUnder('Reasons').map(([reason, code, retry]) => [reason, code, retry]);
    const real = Object.entries(statusReasons).map(([reason, { code, retry }]) => [
      reason,
      String(code),
      retry ? 'yes' : 'no',
    ]);
    expect(documented).toEqual(real);
  });

  it('lists every cause, and no other', () => {
    expect(tableUnder('Causes').map(([reason]) => reason)).toEqual([...fieldErrorReasons]);
  });

  it('says something about each', () => {
    const rows = [...tableUnder('Reasons'), ...tableUnder('Causes')];
    expect(rows.filter((row) => row.some((cell) => cell === ''))).toEqual([]);
  });
});
