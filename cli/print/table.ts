import type { Cli } from '../cli.ts';
import type { Io } from '../io.ts';
import { type Paint, paintOn, printable, styleOf } from './colour.ts';

export interface TextTable {
  readonly headers: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface TableLayout {
  /** The terminal's; undefined: as wide as need be. */
  readonly width: number | undefined;
  readonly paint: Paint;
  readonly showHeaders?: boolean;
}

const gap = 3;
const narrowest = 12;

export function printTable(cli: Cli, table: TextTable, showHeaders = true): void {
  const lines = formatTable(table, { ...layoutOf(cli.io), showHeaders });
  if (lines.length > 0) cli.out(lines.join('\n'));
}

/** Prints a table, its headers with the first row. Gives what prints rows that come later: below them, and never cut. */
export function startTable(cli: Cli, { headers, rows }: TextTable, showHeaders = true) {
  let first: TextTable | undefined;
  const print = (more: TextTable['rows']) => {
    const table = { headers, rows: more };
    if (more.length === 0) return;
    if (first === undefined) return printTable(cli, (first = table), showHeaders);
    const widths = columnWidths(inLines({ headers, rows: [...first.rows, ...more] }));
    for (const line of linesOf(inLines(table), widths, layoutOf(cli.io))) cli.out(line);
  };
  print(rows);
  return print;
}

/** As wide as the terminal, as COLUMNS says, or as need be. */
export const layoutOf = (io: Io): TableLayout => ({
  width: io.stdout.isTTY ? io.stdout.columns : io.environment.columns,
  paint: paintOn(io.stdout, io),
});

/** Aligned lines. Too wide for the terminal: the widest columns but the first are cut, never a name. Pure. */
export function formatTable(given: TextTable, layout: TableLayout): readonly string[] {
  const table = inLines(given);
  const { headers } = table;
  const widths = columnWidths(table, layout.width);
  const isHeaded = layout.showHeaders ?? true;
  const head = isHeaded ? [formatLine(headers, widths, (cell) => layout.paint('bold', cell))] : [];
  return [...head, ...linesOf(table, widths, layout)];
}

const inLines = ({ headers, rows }: TextTable): TextTable => ({
  headers,
  rows: rows.map((cells) => cells.map(printable)),
});

function linesOf({ headers, rows }: TextTable, widths: readonly number[], { paint }: TableLayout) {
  const painted = (cell: string, column: number) => {
    const style = isStatusColumn(headers[column] ?? '') ? styleOf(cell) : undefined;
    return style === undefined ? cell : paint(style, cell);
  };
  return rows.map((cells) => formatLine(cells, widths, painted));
}

function formatLine(
  cells: readonly string[],
  widths: readonly number[],
  painted: (cell: string, column: number) => string,
): string {
  const padded = cells.map((cell, i) => {
    const cut = shorten(cell, widths[i] ?? cell.length);
    const space =
      i === cells.length - 1 ? 0 : Math.max(widths[i] ?? 0, cut.length) - cut.length + gap;
    return painted(cut, i) + ' '.repeat(space);
  });
  return padded.join('').trimEnd();
}

function columnWidths({ headers, rows }: TextTable, width?: number): readonly number[] {
  const natural = headers.map((header, i) =>
    Math.max(header.length, ...rows.map((cells) => cells[i]?.length ?? 0)),
  );
  return width === undefined ? natural : fitted(natural, headers, width);
}

/** Takes from the widest column that may be cut, until all fit or none may give more. */
function fitted(natural: readonly number[], headers: readonly string[], width: number) {
  const widths = [...natural];
  for (;;) {
    const excess = widths.reduce((sum, one) => sum + one + gap, -gap) - width;
    const [widest, second] = widths
      .map((size, column) => ({ size, column }))
      .filter(({ size }) => size > narrowest)
      .filter(({ column }) => !/^(NAME|NAMESPACE)$/.test(headers[column] ?? ''))
      .sort((a, b) => b.size - a.size);
    if (excess <= 0 || widest === undefined) return widths;
    const floor = Math.max(narrowest, second?.size ?? narrowest);
    const step = Math.max(1, Math.min(excess, widest.size - floor));
    widths[widest.column] = widest.size - step;
  }
}

const shorten = (cell: string, width: number) =>
  cell.length <= width ? cell : `${cell.slice(0, Math.max(0, width - 1))}…`;

const isStatusColumn = (header: string) => /^(STATUS|TYPE|PHASE)$/.test(header);
