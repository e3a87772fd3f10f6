import { parseArgs } from 'node:util';

/** One flag of a role's command line: `--name VALUE`, or a switch. */
export interface Flag {
  readonly about: string;
  /** Shown in the help: "DIR"; a flag without one is a switch. */
  readonly value?: string;
  readonly fallback?: string;
  readonly repeatable?: boolean;
}

export type Flags = Readonly<Record<string, Flag>>;

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What was given, by flag; a switch is "true". */
export interface FlagValues {
  one(name: string): string | undefined;
  /** Of a flag with a fallback, or one that must be given. Throws UsageError. */
  must(name: string): string;
  all(name: string): readonly string[];
  has(name: string): boolean;
  /** Of a closed list. Throws UsageError. */
  oneOf<const V extends string>(name: string, values: readonly V[]): V;
  /** A whole number within bounds. Throws UsageError. */
  whole(name: string, min: number, max: number): number;
  readonly words: readonly string[];
}

/** What was written: of each flag that is there its texts, a switch's being "true"; and the other words. */
export interface GivenFlags {
  readonly given: Readonly<Record<string, readonly string[]>>;
  readonly words: readonly string[];
}

/** Throws UsageError for what it doesn't know. */
export function parseFlags(argv: readonly string[], flags: Flags): FlagValues {
  return flagValues(onlyFlags(argv, flags), flags);
}

/** As splitFlags, where every word must belong to a flag. */
export function onlyFlags(argv: readonly string[], flags: Flags): GivenFlags {
  const line = splitFlags(argv, flags);
  if (line.words.length === 0) return line;
  throw new UsageError(`"${line.words[0]}" belongs to no flag; --help shows what there is`);
}

export function flagValues({ given, words }: GivenFlags, flags: Flags): FlagValues {
  const all = (name: string): readonly string[] => {
    const fallback = flags[name]?.fallback;
    return given[name] ?? (fallback === undefined ? [] : [fallback]);
  };
  const must = (name: string) => {
    const [value] = all(name);
    if (value === undefined) throw new UsageError(`--${name} is required: ${flags[name]?.about}`);
    return value;
  };
  return {
    one: (name) => all(name)[0],
    must,
    all,
    has: (name) => given[name] !== undefined,
    oneOf: (name, values) => oneOf({ name, text: must(name), values }),
    whole: (name, min, max) => wholeNumber({ name, text: must(name), min, max }),
    words,
  };
}

/** Throws UsageError for what it doesn't know. */
export function splitFlags(argv: readonly string[], flags: Flags): GivenFlags {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => [
      name,
      {
        type: flag.value === undefined ? ('boolean' as const) : ('string' as const),
        multiple: flag.repeatable ?? false,
      },
    ]),
  );
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    const given = Object.entries(values).map(([name, value]) => [name, [value].flat().map(String)]);
    return { given: Object.fromEntries(given), words: positionals };
  } catch (cause) {
    // Behind the first sentence comes advice about words that begin with a dash.
    const [what = ''] = (cause instanceof Error ? cause.message : String(cause)).split('. ');
    throw new UsageError(`${what}; --help shows what there is`);
  }
}

function oneOf<V extends string>(n: { name: string; text: string; values: readonly V[] }): V {
  const value = n.values.find((known) => known === n.text);
  if (value !== undefined) return value;
  throw new UsageError(`--${n.name} must be one of ${n.values.join(', ')}, not ${n.text}`);
}

function wholeNumber(n: { name: string; text: string; min: number; max: number }): number {
  const value = Number(n.text);
  if (!/^\d+$/.test(n.text) || value < n.min || value > n.max) {
    throw new UsageError(
      `--${n.name} must be a whole number from ${n.min} to ${n.max}, not ${n.text}`,
    );
  }
  return value;
}

/** The help of a role: its flags, one a line. */
export function formatFlags(flags: Flags): string {
  return Object.entries(flags)
    .map(([name, { about, value, fallback }]) => {
      const left = `  --${name}${value === undefined ? '' : ` ${value}`}`;
      return `${left.padEnd(30)} ${about}${fallback === undefined ? '' : ` (default ${fallback})`}`;
    })
    .join('\n');
}
