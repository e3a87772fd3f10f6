import { parseArgs } from 'node:util';

/** One flag of a command line, `--name VALUE` or a switch, and what its texts say. */
export interface Flag<T = unknown> {
  readonly about: string;
  /** Shown in the help: "DIR"; a flag without one is a switch. */
  readonly value?: string;
  /** One letter: "f" for -f. */
  readonly short?: string;
  readonly fallback?: string | undefined;
  readonly repeatable?: boolean;
  readonly required?: boolean;
  /** @param texts a switch's being "true"; none: it wasn't given. Throws UsageError, which begins with --name. */
  read(texts: readonly string[], name: string): T;
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

export const on = (about: string): Flag<boolean> => ({ about, read: (texts) => texts.length > 0 });

export function text(value: string, about: string): Flag<string | undefined>;
export function text(value: string, about: string, fallback: string): Flag<string>;
export function text(value: string, about: string, fallback?: string): Flag<string | undefined> {
  return { value, about, fallback, read: ([given]) => given ?? fallback };
}

export const list = (value: string, about: string): Flag<readonly string[]> => ({
  ...{ value, about, repeatable: true },
  read: (texts) => texts,
});

/** Must be given. */
export const required = <T>(flag: Flag<T>) =>
  ({ ...flag, required: true }) as Flag<Exclude<T, undefined>>;

export const short = <T>(letter: string, flag: Flag<T>): Flag<T> => ({ ...flag, short: letter });

/** @param parse throws UsageError. */
export const parsed = <S extends string | undefined, T>(
  flag: Flag<S>,
  parse: (text: string, name: string) => T,
): Flag<T | Exclude<S, string>> => ({
  ...flag,
  read(texts, name) {
    const value = flag.read(texts, name);
    return typeof value === 'string' ? parse(value, name) : (value as Exclude<S, string>);
  },
});

/** Each of a list's. @param parse throws UsageError. */
export const each = <T>(
  flag: Flag<readonly string[]>,
  parse: (text: string, name: string) => T,
): Flag<readonly T[]> => ({
  ...flag,
  read: (texts, name) => flag.read(texts, name).map((one) => parse(one, name)),
});

export const oneOf = <S extends string | undefined, const V extends string>(
  flag: Flag<S>,
  values: readonly V[],
) =>
  parsed(flag, (given, name) => {
    const value = values.find((known) => known === given);
    if (value !== undefined) return value;
    throw new UsageError(`--${name} must be one of ${values.join(', ')}, not ${given}`);
  });

/** A whole number. */
export const whole = <S extends string | undefined>(
  flag: Flag<S>,
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
) =>
  parsed(flag, (given, name) => {
    const value = Number(given);
    if (/^\d+$/.test(given) && value >= min && value <= max) return value;
    const bounds = max < Number.MAX_SAFE_INTEGER ? ` from ${min} to ${max}` : '';
    throw new UsageError(`--${name} must be a whole number${bounds}, not ${given}`);
  });

/** Of each flag that was given its texts, a switch's being "true". */
export type GivenTexts = Readonly<Record<string, readonly string[] | undefined>>;

/** Throws UsageError for what it doesn't know, and for what makes no sense. */
export function parseFlags<F extends Flags>(argv: readonly string[], flags: F): ValuesOf<F> {
  return readFlags(flags, onlyFlags(argv, flags));
}

/** Throws UsageError for the first that makes no sense. */
export function readFlags<F extends Flags>(flags: F, given: GivenTexts): ValuesOf<F> {
  const { values, mistakes } = tryFlags(flags, given);
  for (const mistake of mistakes) throw mistake;
  return values;
}

/** `values` are whole only where there is no mistake. */
export function tryFlags<F extends Flags>(
  flags: F,
  given: GivenTexts,
): { readonly values: ValuesOf<F>; readonly mistakes: readonly UsageError[] } {
  const mistakes: UsageError[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries(flags)) {
    const texts = given[name] ?? [];
    try {
      if (flag.required && texts.length === 0)
        throw new UsageError(`--${name} is required: ${flag.about}`);
      values[camelCase(name)] = flag.read(texts, name);
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
export function splitFlags(
  argv: readonly string[],
  flags: Flags,
): { readonly given: GivenTexts; readonly words: readonly string[] } {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => [
      name,
      {
        type: flag.value === undefined ? ('boolean' as const) : ('string' as const),
        multiple: flag.repeatable ?? false,
        ...(flag.short === undefined ? {} : { short: flag.short }),
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

/** The help of a role: its flags, one a line. */
export function formatFlags(flags: Flags): string {
  return Object.entries(flags)
    .map(([name, { about, value, fallback, short }]) => {
      const left = `  ${short ? `-${short}, ` : ''}--${name}${value === undefined ? '' : ` ${value}`}`;
      return `${left.padEnd(30)} ${about}${fallback === undefined ? '' : ` (default ${fallback})`}`;
    })
    .join('\n');
}
