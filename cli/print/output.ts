import { readFile } from 'node:fs/promises';
import { formatValue, parseJsonPath } from '../../api/json-path.ts';
import { type AnyObject, apiVersionOf, type Kind } from '../../api/kind.ts';
import { about } from '../../base/error-chain.ts';
import { text, UsageError } from '../../base/flags.ts';
import { parseTemplate } from '../json-path.ts';
import { titleOf } from '../kind-lookup.ts';
import { formatTable } from './table.ts';

/** One object as it is printed; what comes of a list lacks its type. */
export interface Found {
  readonly kind: Kind;
  readonly object: AnyObject;
}

/** @param isOne it was asked for by its name, so it is shown by itself; otherwise in a List. */
export type Printer = (found: readonly Found[], isOne: boolean) => string | Promise<string>;

const formats =
  'name, yaml, json, jsonpath=, jsonpath-file=, custom-columns= or custom-columns-file=';

export const outputFlag = text('format', formats).short('o');
export const tableOutputFlag = text('format', `wide, ${formats}`).short('o');

/**
 * What prints objects as -o wants; undefined: a table, or a verb's own words. Throws UsageError for a format that there
 * isn't, CliError for a file that can't be read.
 */
export async function openPrinter(output = '', showHeaders = true): Promise<Printer | undefined> {
  if (output === '' || output === 'wide') return undefined;
  const [, format = '', file, argument = ''] = /^(.*?)(-file)?(?:=(.*))?$/s.exec(output) ?? [];
  if (/^(go-)?template/.test(format)) throw new UsageError(noGoTemplates);
  const content = file && about(`cannot read ${argument}`, readFile(argument, 'utf8'));
  const open = Object.hasOwn(plain, format) ? plain[format] : undefined;
  if (open && !file && argument === '') return open;
  const template = (await content) || argument;
  if (format === 'jsonpath' && template !== '') return printTemplate(template);
  if (format === 'custom-columns' && template !== '')
    return printColumns(file ? columnsIn(template) : columnsOf(template), showHeaders);
  throw new UsageError(`--output must be one of ${formats}, not ${output}`);
}

const noGoTemplates =
  "orc has no Go templates; -o jsonpath='{.metadata.name}' and -o custom-columns=NAME:.metadata.name take their place";

const plain: Readonly<Record<string, Printer>> = {
  name: (found) =>
    found.map(({ kind, object }) => `${titleOf({ kind, name: object.metadata.name })}\n`).join(''),
  json: (found, isOne) => formatWhole(wholeOf(found, isOne), 'json'),
  yaml: (found, isOne) => formatWhole(wholeOf(found, isOne), 'yaml'),
};

/** YAML is loaded only where it is wanted. */
export async function formatWhole(value: unknown, format: 'yaml' | 'json'): Promise<string> {
  if (format === 'json') return `${JSON.stringify(value, undefined, 2)}\n`;
  return (await import('./object.ts')).formatYaml(value);
}

function printTemplate(template: string): Printer {
  const format = parseTemplate(template);
  return (found, isOne) => format(wholeOf(found, isOne));
}

function wholeOf(found: readonly Found[], isOne: boolean): unknown {
  const items = found.map(({ kind, object }) => ({
    ...{ apiVersion: apiVersionOf(kind), kind: kind.kind },
    ...object,
  }));
  if (isOne) return items[0];
  return { apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '' }, items };
}

/** A header and its path. */
type Column = readonly [header: string, path: string];

/** "NAME:.metadata.name,IMAGE:.spec.containers[*].image"; a path may have commas in its brackets. */
const columnsOf = (text: string): readonly Column[] =>
  [...text.matchAll(/((?:\[[^\]]*\]|[^,[])+)(?:,|$)/g)].map(([, column = '']) => {
    const [, header = '', path = ''] = /^([^:]+):(.+)$/s.exec(column) ?? [];
    if (path === '') throw new UsageError(`custom-columns: "${column}" is not HEADER:PATH`);
    return [header, path];
  });

/** A line of headers, and a line with a path for each. */
function columnsIn(file: string): readonly Column[] {
  const [headers = [], paths = []] = file
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  if (headers.length !== paths.length)
    throw new UsageError('a file of custom-columns is a line of headers and one of their paths');
  return headers.map((header, index) => [header, paths[index] ?? '']);
}

function printColumns(columns: readonly Column[], showHeaders: boolean): Printer {
  const paths = columns.map(([, path]) => parseJsonPath(path));
  const headers = columns.map(([header]) => header);
  const layout = { width: undefined, paint: (_: unknown, cell: string) => cell, showHeaders };
  return (found) => {
    const cells = (object: AnyObject) =>
      paths.map((path) => path(object).map(formatValue).join(',') || '<none>');
    const rows = found.map(({ object }) => cells(object));
    return [...formatTable({ headers, rows }, layout), ''].join('\n');
  };
}
