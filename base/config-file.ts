import { readFileSync } from 'node:fs';
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Scalar } from 'yaml';
import { closestTo } from './closest.ts';
import {
  type Flag,
  type Flags,
  type GivenTexts,
  onlyFlags,
  readFlags,
  text,
  tryFlags,
  UsageError,
  type ValuesOf,
} from './flags.ts';

/** To be one of a role's flags that may stand in a file. */
export const configFlag = {
  config: text('FILE', 'a YAML file with these flags as keys; flags given here win'),
};

/**
 * What `read` makes of the command line and of the file that its --config names. Throws UsageError with all that is
 * wrong in the file, one "FILE:LINE:COLUMN  what" a line.
 */
export function readConfig<F extends Flags, C>(
  argv: readonly string[],
  flags: F,
  read: (values: ValuesOf<F>) => C,
): C {
  const line = onlyFlags(argv, flags);
  const path = line.config?.[0];
  if (path === undefined) return read(readFlags(flags, line));
  const { config: _, ...settings } = flags;
  const file = parseConfigFile(textOf(path), settings);
  const { findings } = file;
  const tell = (error: unknown) => {
    const [, key = ''] = /^--([a-z-]+)/.exec((error as Error).message) ?? [];
    if (!(error instanceof UsageError) || line[key] !== undefined) throw error;
    const at = file.places.get(key);
    // Without a place it isn't there at all; with one but no texts, a mistake in it has been told.
    if (at === undefined || file.given[key]) findings.push({ at, what: inWords(error.message) });
  };
  const { values, mistakes } = tryFlags(flags, { ...file.given, ...line });
  mistakes.forEach(tell);
  try {
    const config = mistakes.length === 0 ? read(values) : undefined;
    if (config !== undefined && findings.length === 0) return config;
  } catch (error) {
    tell(error);
  }
  const sorted = findings.toSorted((a, b) => (a.at?.line ?? 0) - (b.at?.line ?? 0));
  throw new UsageError(sorted.map((finding) => formatFinding(path, finding)).join('\n'));
}

/** The text of a file that gives these flags. JSON's strings are YAML's too. */
export const formatConfig = (given: GivenTexts, flags: Flags): string =>
  Object.entries(given)
    .map(
      ([key, texts]) =>
        `${key}: ${JSON.stringify(flags[key]?.look.repeatable ? texts : texts?.[0])}\n`,
    )
    .join('');

/** In a file keys have no dashes before them. */
const inWords = (message: string) => message.replace(/(?<=^|\s)--(?=[a-z])/g, '');

const formatFinding = (path: string, { at, what }: Finding) =>
  `${path}${at ? `:${at.line}:${at.col}` : ''}  ${what}`;

type Place = Readonly<{ line: number; col: number }>;

type Finding = Readonly<{ at: Place | undefined; what: string }>;

/** What it gives, the places of the known keys that are there, and what is wrong with it. */
function parseConfigFile(text: string, flags: Flags) {
  const counter = new LineCounter();
  const placeOf = (offset = 0): Place => counter.linePos(offset);
  const document = parseDocument(text, { prettyErrors: false, lineCounter: counter });
  const findings: Finding[] = document.errors.map((e) => ({
    at: placeOf(e.pos[0]),
    what: e.message,
  }));
  const given: Record<string, readonly string[]> = {};
  const places = new Map<string, Place>();
  const { contents } = document;
  const pairs = isMap(contents) ? contents.items : [];
  if (contents !== null && !isMap(contents))
    findings.push({ at: placeOf(contents.range[0]), what: 'must be keys with values' });
  for (const { key, value } of pairs) {
    const name = isScalar(key) ? String(key.value) : '';
    const at = placeOf((key as Scalar.Parsed | undefined)?.range[0]);
    const flag = flags[name];
    const texts = flag && textsOf(flag, value);
    if (flag !== undefined) places.set(name, at);
    if (texts !== undefined) given[name] = texts;
    else
      findings.push({ at, what: flag ? `${name} must be ${shapeOf(flag)}` : unknown(name, flags) });
  }
  return { given, places, findings };
}

/** undefined: not of the flag's shape. */
function textsOf({ look }: Flag, value: unknown): readonly string[] | undefined {
  if (look.value === undefined)
    return isScalar(value) && value.value === true ? ['true'] : undefined;
  const values = look.repeatable && isSeq(value) ? value.items : [value];
  const texts = values.map(textOfScalar);
  return texts.every((text) => text !== undefined) ? texts : undefined;
}

/** Numbers as they are written: 0640 isn't 416, and 1.10 isn't 1.1. */
function textOfScalar(value: unknown): string | undefined {
  if (!isScalar(value)) return undefined;
  if (typeof value.value === 'number') return value.source;
  return typeof value.value === 'string' && value.value !== '' ? value.value : undefined;
}

const shapeOf = ({ look: { value, repeatable } }: Flag) =>
  value === undefined ? 'true' : repeatable ? `a list of ${value}` : value;

function unknown(name: string, flags: Flags): string {
  const nearest = closestTo(name, Object.keys(flags));
  return `${name} is no setting${nearest === undefined ? '' : `; did you mean ${nearest}?`}`;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UsageError(`--config: ${path} can't be read`, { cause });
  }
}
