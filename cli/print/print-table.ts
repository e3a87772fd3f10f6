import type { Cli } from '../cli.ts';
import type { Io } from '../io.ts';
import { paintOn } from './colour.ts';
import { formatRows, formatTable, type TableLayout, type TextTable } from './table.ts';

export function printTable(cli: Cli, table: TextTable, showHeaders = true): void {
  const lines = formatTable(table, { ...layoutOf(cli.io), showHeaders });
  if (lines.length > 0) cli.out(lines.join('\n'));
}

/** Rows that come later, under the headers of `first`. */
export function printRows(cli: Cli, rows: TextTable['rows'], first: TextTable): void {
  for (const line of formatRows(rows, first, layoutOf(cli.io))) cli.out(line);
}

/** As wide as the terminal, as COLUMNS says, or as need be. */
export const layoutOf = (io: Io): TableLayout => ({
  width: io.stdout.isTTY ? io.stdout.columns : io.environment.columns,
  paint: paintOn(io.stdout, io),
});
