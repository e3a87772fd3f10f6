import { printable } from './colour.ts';
import { formatTable, type TableLayout, type TextTable } from './table.ts';

/** Facts one a line, and parts under a title. What is empty is left out. */
export type Description = Readonly<{ facts: readonly Fact[]; sections: readonly Section[] }>;

export type Section = { readonly title: string } & (
  | (Pick<TextTable, 'headers'> & { readonly rows: readonly (readonly (string | undefined)[])[] })
  | { readonly lines: readonly string[] }
);

/** Without a value it isn't shown. */
export type Fact = readonly [label: string, value: string | undefined];

const indent = '  ';

/** Pure. */
export function formatDescription(
  headline: string,
  { facts, sections }: Description,
  layout: TableLayout,
): string {
  const parts = sections.map((section) => {
    const lines = 'lines' in section ? section.lines.map(printable) : tableLines(section, layout);
    return lines.length === 0 ? [] : [layout.paint('bold', section.title), ...lines.map(indented)];
  });
  return [[layout.paint('bold', headline)], factLines(facts), ...parts]
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

const indented = (line: string) => indent + line;

function factLines(facts: readonly Fact[]): readonly string[] {
  const told = facts.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(...told.map(([label]) => label.length));
  return told.flatMap(([label, value = '']) =>
    value
      .split('\n')
      .map((line, i) => `${indent}${(i === 0 ? label : '').padEnd(width)}   ${printable(line)}`),
  );
}

function tableLines({ headers, rows }: Exclude<Section, { lines: unknown }>, layout: TableLayout) {
  if (rows.length === 0) return [];
  const width = layout.width === undefined ? undefined : layout.width - indent.length;
  const cells = rows.map((row) => row.map((cell = '') => cell));
  return formatTable({ headers, rows: cells }, { ...layout, width });
}
