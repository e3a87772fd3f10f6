import { formatTable, type TableLayout, type TextTable } from './table.ts';

/** A part of a description: facts one a line, or a table under a title. */
export type Section =
  | { readonly facts: readonly Fact[] }
  | { readonly title: string; readonly table: TextTable }
  | { readonly title: string; readonly lines: readonly string[] };

/** Without a value it isn't shown. */
export type Fact = readonly [label: string, value: string | undefined];

const indent = '  ';

/** A headline, and the parts below it. What is empty is left out. Pure. */
export function formatSections(
  headline: string,
  sections: readonly Section[],
  layout: TableLayout,
): string {
  const blocks = sections.map((section) => linesOf(section, layout)).filter((b) => b.length > 0);
  return [[layout.paint('bold', headline)], ...blocks].map((b) => b.join('\n')).join('\n\n');
}

function linesOf(section: Section, layout: TableLayout): readonly string[] {
  if ('facts' in section) return factLines(section.facts);
  const { title } = section;
  const lines = 'lines' in section ? section.lines : tableLines(section.table, layout);
  if (lines.length === 0) return [];
  return [layout.paint('bold', title), ...lines.map((line) => indent + line)];
}

function factLines(facts: readonly Fact[]): readonly string[] {
  const told = facts.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(...told.map(([label]) => label.length));
  return told.flatMap(([label, value = '']) =>
    value
      .split('\n')
      .map((line, i) => `${indent}${(i === 0 ? label : '').padEnd(width)}   ${line}`),
  );
}

function tableLines(table: TextTable, layout: TableLayout): readonly string[] {
  if (table.rows.length === 0) return [];
  const width = layout.width === undefined ? undefined : layout.width - indent.length;
  return formatTable(table, { ...layout, width });
}
