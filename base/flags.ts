import { parseArgs } from 'node:util';

/** One flag of a command line, `--name VALUE` or a switch, and what its texts say. */
export interface Flag<T = unknown> {
  readonly look: Look;
  /** @param texts a switch's being "true"; none: it wasn't given. Throws UsageError, which begins with --name. */
  read(texts: readonly string[], name: string): T;
  /** -f as well. */
  short(letter: string): Flag<T>;
  /** It must be given. */
  required(): Flag<Exclude<T, undefined>>;
  /** @param parse throws UsageError. */
  parsed<U>(parse: (text: string, name: string) => U): Flag<U | Exclude<T, string>>;
  /** A whole number. */
  whole(min?: number, max?: number): Flag<number | Exclude<T, string>>;
}

/** What help, completion and files need of it. */
interface Look {
  readonly about: string;
  /** Shown in the help: "DIR"; a flag without one is a switch. */
  readonly value?: string;
  readonly fallback?: string | undefined;
  readonly letter?: string;
  readonly repeatable?: boolean;
  readonly required?: boolean;
}

export type Flags = Readonly<Record<string, Flag>>;

/** What flags say, by their names in camel case. */
export type ValuesOf<F extends Flags> = {
  readonly [N in keyof F & string as CamelCase<N>]: F[N] extends Flag<infer T> ? T : never;
};

type CamelCase<N extends string> = N extends `${infer A}-${infer B}`
  ? `${A}${Capitalize<CamelCase<B>>}`
  : N;

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const on = (about: string) => flag({ about }, (texts) => texts.length > 0);

export function text(value: string, about: string): Flag<string | undefined>;
export function text(value: string, about: string, fallback: string): Flag<string>;
export function text(value: string, about: string, fallback?: string) {
  return flag({ value, about, fallback }, ([given]) => given ?? fallback);
}

/** Its about lists them. */
export const oneOf = <const V extends string, F extends V | undefined = undefined>(
  of: string,
  values: readonly V[],
  fallback?: F,
): Flag<V | F> => {
  const about = values.join(', ').replace(/, (?=[^,]*$)/, ' or ');
  return flag({ value: of, about, fallback }, ([given], name) => {
    if (given === undefined) return fallback as F;
    const value = values.find((known) => known === given);
    if (value !== undefined) return value;
    throw new UsageError(`--${name} must be one of ${values.join(', ')}, not ${given}`);
  });
};

export const list = (value: string, about: string) => listOf(value, about, (one) => one);

/** @param parse throws UsageError. */
export const listOf = <T>(value: string, about: string, parse: (text: string, name: string) => T) =>
  flag({ value, about, repeatable: true }, (texts, name) => texts.map((one) => parse(one, name)));

function flag<T>(look: Look, read: Flag<T>['read']): Flag<T> {
  const parsed = <U>(parse: (text: string, name: string) => U) =>
    flag(look, (texts, name) => {
      const value = read(texts, name);
      return typeof value === 'string' ? parse(value, name) : (value as Exclude<T, string>);
    });
  return {
    ...{ look, read, parsed },
    short: (letter) => flag({ ...look, letter }, read),
    required: () => flag({ ...look, required: true }, read as Flag<Exclude<T, undefined>>['read']),
    whole: (min = 0, max = Number.MAX_SAFE_INTEGER) =>
      parsed((given, name) => {
        const value = Number(given);
        if (/^\d+$/.test(given) && value >= min && value <= max) return value;
        const bounds = max < Number.MAX_SAFE_INTEGER ? ` from ${min} to ${max}` : '';
        throw new UsageError(`--${name} must be a whole number${bounds}, not ${given}`);
      }),
  };
}

/** Of each flag that was given its texts, a switch's being "true". */
export type GivenTexts = Readonly<Record<string, readonly string[] | undefined>>;

/** Throws UsageError for what it doesn't know, and for what makes no sense. */
export const parseFlags = <F extends Flags>(argv: readonly string[], flags: F): ValuesOf<F> =>
  readFlags(flags, onlyFlags(argv, flags));

/** Throws UsageError for the first that makes no sense. */
export function readFlags<F extends Flags>(flags: F, given: GivenTexts): ValuesOf<F> {
  const { values, mistakes } = tryFlags(flags, given);
  for (const mistake of mistakes) throw mistake;
  return values;
}

/** `values` are whole only where there is no mistake. */
export function tryFlags<F extends Flags>(flags: F, given: GivenTexts) {
  const mistakes: UsageError[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, { look, read }] of Object.entries(flags)) {
    const texts = given[name] ?? [];
    try {
      if (look.required && texts.length === 0)
        throw new UsageError(`--${name} is required: ${look.about}`);
      values[camelCase(name)] = read(texts, name);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      mistakes.push(error);
    }
  }
  return { values: values as ValuesOf<F>, mistakes };
}

export const camelCase = <N extends string>(name: N) =>
  name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()) as CamelCase<N>;

/** As splitFlags, where every word must belong to a flag. */
export function onlyFlags(argv: readonly string[], flags: Flags): GivenTexts {
  const { given, words } = splitFlags(argv, flags);
  if (words.length === 0) return given;
  throw new UsageError(`"${words[0]}" belongs to no flag; --help shows what there is`);
}

/** Flags, and the other words. Throws UsageError for what it doesn't know. */
export function splitFlags(argv: readonly string[], flags: Flags) {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { look }]) => [
      name,
      {
        type: look.value === undefined ? ('boolean' as const) : ('string' as const),
        multiple: look.repeatable ?? false,
        ...(look.letter === undefined ? {} : { short: look.letter }),
      },
    ]),
  );
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    const given: GivenTexts = Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, [value].flat().map(String)]),
    );
    return { given, words: positionals };
  } catch (cause) {
    // Behind the first sentence comes advice about words that begin with a dash.
    const [what = ''] = (cause instanceof Error ? cause.message : String(cause)).split('. ');
    throw new UsageError(`${what}; --help shows what there is`);
  }
}

/** The help of a role: its flags, one a line. */
export const formatFlags = (flags: Flags): string =>
  Object.entries(flags)
    .map(([name, { look }]) => {
      const { about, value, fallback, letter } = look;
      const left = `  ${letter ? `-${letter}, ` : ''}--${name}${value === undefined ? '' : ` ${value}`}`;
      return `${left.padEnd(30)} ${about}${fallback === undefined ? '' : ` (default ${fallback})`}`;
    })
    .join('\n');
