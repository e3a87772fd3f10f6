import { UsageError } from '../base/flags.ts';
import { isObject, own } from './normalize.ts';
import { canonicalJson } from './same.ts';

/** What a path finds in a value, in its order. Throws JsonPathError for what it can't look into: an index that isn't there. */
export type JsonPath = (value: unknown) => readonly unknown[];

export class JsonPathError extends Error {
  override readonly name = 'JsonPathError';
}

/**
 * A path in kubectl's dialect of JSONPath, also without its braces or its first dot: "{.a.b}", ".a.b", "a.b". Throws
 * UsageError.
 */
export function parseJsonPath(text: string): JsonPath {
  const cursor = { text, at: 0 };
  const inBraces = take(cursor, /\s*\{/y) !== undefined;
  const path = parsePath(cursor);
  if (inBraces) expect(cursor, /\s*\}\s*/y, '}');
  if (cursor.at < text.length) throw unexpected(cursor, 'the end');
  return path;
}

/** The fields that a path of nothing but names goes through: ".spec.replicas". undefined: it is no such path. */
export const parseFieldPath = (path: string): readonly string[] | undefined =>
  /^(\.[\w-]+)+$/.test(path) ? path.slice(1).split('.') : undefined;

/**
 * Of somebody else's path that is read often: "must …", or undefined. One that finds the same value several times could
 * take for ever.
 */
export function checkSimpleJsonPath(path: string): string | undefined {
  if (!/^(?!.*(\.\.|,))\./s.test(path))
    return 'must start with a dot, and have neither .. nor a comma';
  try {
    parseJsonPath(path);
  } catch (error) {
    if (error instanceof UsageError) return `must be a JSONPath: ${error.message}`;
    throw error;
  }
  return undefined;
}

/** As a template shows it: text as it is, the rest as JSON. */
export const formatValue = (value: unknown): string =>
  typeof value === 'string' ? value : canonicalJson(value);

export const formatAll = (values: readonly unknown[]): string => values.map(formatValue).join(' ');

/** Where the reading is. */
export interface Cursor {
  readonly text: string;
  at: number;
}

/** From all that was found so far to what is found in it. */
type Step = (values: readonly unknown[]) => readonly unknown[];

export function take(cursor: Cursor, sticky: RegExp): RegExpExecArray | undefined {
  sticky.lastIndex = cursor.at;
  const found = sticky.exec(cursor.text);
  if (found) cursor.at = sticky.lastIndex;
  return found ?? undefined;
}

export function expect(cursor: Cursor, sticky: RegExp, what: string): void {
  if (!take(cursor, sticky)) throw unexpected(cursor, `"${what}"`);
}

function unexpected({ text, at }: Cursor, wanted: string): UsageError {
  const found = at < text.length ? JSON.stringify(text.slice(at, at + 12)) : 'it ends';
  return new UsageError(`JSONPath ${text}: at character ${at + 1} ${wanted} is due, but ${found}`);
}

/** A path, or a value that is written out. */
export function parseOperand(cursor: Cursor): JsonPath {
  const quoted = takeQuoted(cursor);
  const [word] = take(cursor, /(?:true|false|-?\d+(?:\.\d+)?)(?![\w.])/y) ?? [];
  if (quoted === undefined && word === undefined) {
    if (take(cursor, /(?=\w)/y)) throw unexpected(cursor, 'a dot');
    return parsePath(cursor);
  }
  const value: unknown = quoted === undefined ? JSON.parse(word ?? '') : unescaped(quoted);
  return () => [value];
}

function parsePath(cursor: Cursor): JsonPath {
  const steps: Step[] = [];
  take(cursor, /[$@]/y);
  for (;;) {
    const name = /(\.{0,2})(\*|(?:\\.|[^\s.,:[\]{}()=<>!|&"'$@\\])*)/y;
    const [all = '', dots, word = ''] = take(cursor, name) ?? [];
    if (dots === '..') steps.push((values) => values.flatMap(withDescendants));
    if (word === '*') steps.push(children);
    else if (word !== '') steps.push(fieldOf(unescaped(word)));
    if (all === '' && !take(cursor, /\[\s*/y)) break;
    if (all === '') steps.push(parseBrackets(cursor));
  }
  return (value) => steps.reduce<readonly unknown[]>((values, step) => step(values), [value]);
}

/** "?(…)", "*", "1:3", or names and numbers; the first bracket is read already. */
function parseBrackets(cursor: Cursor): Step {
  if (take(cursor, /\?\(\s*/y)) return parseFilter(cursor);
  if (take(cursor, /\*\s*\]/y)) return children;
  const slice = take(cursor, /(-?\d*)\s*:\s*(-?\d*)\s*(?::\s*(\d*)\s*)?\]/y);
  if (slice) return sliceOf(slice.slice(1).map((text) => (text ? Number(text) : undefined)));
  const members: Step[] = [];
  do members.push(parseMember(cursor));
  while (take(cursor, /\s*,\s*/y));
  expect(cursor, /\s*\]/y, ']');
  return (values) => members.flatMap((member) => member(values));
}

function parseMember(cursor: Cursor): Step {
  const [number] = take(cursor, /-?\d+/y) ?? [];
  if (number !== undefined) return (values) => values.flatMap(itemAt(Number(number)));
  const quoted = takeQuoted(cursor);
  if (quoted === undefined) throw unexpected(cursor, 'a number or a quoted name');
  const steps = (quoted.match(/(?:\\.|[^.\\])+/gs) ?? []).map((name) => fieldOf(unescaped(name)));
  return (values) => steps.reduce((found, step) => step(found), values);
}

function parseFilter(cursor: Cursor): Step {
  const left = parseOperand(cursor);
  const [, operator = ''] = take(cursor, /\s*(==|!=|<=|>=|<|>)\s*/y) ?? [];
  const right = operator === '' ? undefined : parseOperand(cursor);
  expect(cursor, /\s*\)\s*\]/y, ')]');
  const holds = (item: unknown) =>
    right ? compare(left(item), operator, right(item)) : left(item).length > 0;
  return (values) => values.flatMap((value) => itemsOf(value).filter(holds));
}

function compare(left: readonly unknown[], operator: string, right: readonly unknown[]): boolean {
  const [[a], [b]] = [left, right];
  if (a === undefined || b === undefined) return false;
  if (left.length > 1 || right.length > 1 || typeof a !== typeof b || isComposite(a))
    throw new JsonPathError(`JSONPath: ${formatAll(left)} and ${formatAll(right)} don't compare`);
  if (operator === '!=') return a !== b;
  if (a === b) return operator.includes('=');
  return operator.startsWith((a as string) < (b as string) ? '<' : '>');
}

const isComposite = (value: unknown) => typeof value === 'object' && value !== null;

/** Its content, escapes as they are; undefined: no quoted text is there. */
function takeQuoted(cursor: Cursor): string | undefined {
  const [, double, single] = take(cursor, /"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'/sy) ?? [];
  return double ?? single;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

const unescaped = (text: string): string =>
  text.replace(/\\(.)/gs, (_, letter: string) => own(escapes, letter) ?? letter);

/** What isn't there, or is null, is nothing. */
const present = (value: unknown): readonly unknown[] =>
  value === undefined || value === null ? [] : [value];

const fieldOf =
  (name: string): Step =>
  (values) =>
    values.flatMap((value) => (isObject(value) ? present(own(value, name)) : []));

const innerOf = (value: unknown): readonly unknown[] =>
  isComposite(value) ? Object.values(value as object).flatMap(present) : [];

const children: Step = (values) => values.flatMap(innerOf);

const withDescendants = (value: unknown): readonly unknown[] => [
  value,
  ...innerOf(value).flatMap(withDescendants),
];

function itemsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new JsonPathError(`JSONPath: ${formatValue(value).slice(0, 60)} is no list`);
}

const itemAt = (wanted: number) => (value: unknown) => {
  const items = itemsOf(value);
  const index = wanted < 0 ? wanted + items.length : wanted;
  if (index >= 0 && index < items.length) return present(items[index]);
  throw new JsonPathError(`JSONPath: there is no [${wanted}] in a list of ${items.length}`);
};

function sliceOf([from, to, step = 1]: readonly (number | undefined)[]): Step {
  if (step < 1) throw new UsageError('JSONPath: the step of a slice must be more than 0');
  const isTaken = (_: unknown, index: number) => index % step === 0;
  return (values) => values.flatMap((value) => itemsOf(value).slice(from, to).filter(isTaken));
}
