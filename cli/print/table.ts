import { type Paint, styleOf } from './colour.ts';

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

/** Aligned lines. Too wide for the terminal: the widest columns but the first are cut, never a name. Pure. */
export function formatTable(table: TextTable, layout: TableLayout): readonly string[] {
  return linesOf(table, columnWidths(table, layout.width), layout);
}

/** The same with widths from before: rows that come later, under the same headers. */
export function linesOf(
  { headers, rows }: TextTable,
  widths: readonly number[],
  { paint, showHeaders = true }: TableLayout,
): readonly string[] {
  const line = (cells: readonly string[], style: (cell: string, column: number) => string) =>
    cells
      .map((cell, i) => {
        const cut = shorten(cell, widths[i] ?? cell.length);
        const isLast = i === cells.length - 1;
        return (
          style(cut, i) +
          (isLast ? '' : ' '.repeat(Math.max(widths[i] ?? 0, cut.length) - cut.length + gap))
        );
      })
      .join('')
      .trimEnd();
  const painted = (cell: string, column: number) => {
    const style = isStatusColumn(headers[column] ?? '') ? styleOf(cell) : undefined;
    return style === undefined ? cell : paint(style, cell);
  };
  const head = showHeaders ? [line(headers, (cell) => paint('bold', cell))] : [];
  return [...head, ...rows.map((cells) => line(cells, painted))];
}

export function columnWidths({ headers, rows }: TextTable, width?: number): readonly number[] {
  const natural = headers.map((header, i) =>
    Math.max(header.length, ...rows.map((cells) => cells[i]?.length ?? 0)),
  );
  return width === undefined ? natural : fitted(natural, headers, width);
}

/** Takes from the widest column that may be cut, until all fit or none may give more. */
function fitted(
  natural: readonly number[],
  headers: readonly string[],
  width: number,
): readonly number[] {
  const widths = [...natural];
  const total = () => widths.reduce((sum, one) => sum + one + gap, -gap);
  for (;;) {
    const excess = total() - width;
    if (excess <= 0) return widths;
    const order = widths
      .map((size, column) => ({ size, column }))
      .filter(
        ({ size, column }) => size > narrowest && !/^(NAME|NAMESPACE)$/.test(headers[column] ?? ''),
      )
      .sort((a, b) => b.size - a.size);
    const [widest, second] = order;
    if (widest === undefined) return widths;
    const floor = Math.max(narrowest, second?.size ?? narrowest);
    const step = Math.max(1, Math.min(excess, widest.size - floor));
    widths[widest.column] = widest.size - step;
  }
}

const shorten = (cell: string, width: number) =>
  cell.length <= width ? cell : `${cell.slice(0, Math.max(0, width - 1))}…`;

const isStatusColumn = (header: string) => /^(STATUS|TYPE|PHASE)$/.test(header);
