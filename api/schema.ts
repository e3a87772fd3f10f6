/**
 * A small schema language for Kubernetes objects. One description of a kind's fields gives its TypeScript type
 * ({@link TypeOf}), the check of its shape (check-shape.ts), its defaults (apply-defaults.ts), the list keys that
 * patches merge by and what `explain` prints.
 */
export interface Schema<T = unknown, P extends Presence = Presence> {
  readonly shape: Shape;
  readonly presence: P;
  /** Set when the field is absent; only with presence 'default'. */
  readonly fallback?: unknown;
  readonly about?: string;
  /** Type only: never there at run time. */
  readonly type?: T;
}

type Presence = 'optional' | 'required' | 'default' | 'unsupported';

export type Shape =
  | {
      readonly kind: 'string';
      readonly check: StringCheck | undefined;
      readonly values: readonly string[] | undefined;
      /** Values that Kubernetes has and orc lacks: refused as such. */
      readonly lacks?: readonly string[] | undefined;
    }
  | { readonly kind: 'integer'; readonly min: number; readonly max: number | bigint }
  | { readonly kind: 'boolean' }
  /** A resource.Quantity: a string such as "100m" or "1Gi", or a number; kept as the string. */
  | { readonly kind: 'quantity' }
  | { readonly kind: 'int-or-string' }
  /** RFC 3339; kept as the string. */
  | { readonly kind: 'time' }
  /** Base64 in JSON; kept so. */
  | { readonly kind: 'bytes' }
  /** Any JSON value. */
  | { readonly kind: 'json' }
  | {
      readonly kind: 'list';
      readonly item: Schema;
      readonly merge: ListMerge;
      readonly max: number;
    }
  | { readonly kind: 'map'; readonly value: Schema; readonly check: StringCheck | undefined }
  | { readonly kind: 'object'; readonly fields: Fields }
  /** Known to Kubernetes, not to orc: refused by path, unless it holds one of these values (Kubernetes' default). */
  | { readonly kind: 'unsupported'; readonly harmless: readonly unknown[] };

/**
 * How patches see a list: replaced as a whole; a set of scalars; or a map, whose entries are told apart by `keys`. The
 * first of them is strategic merge's one key.
 */
type ListMerge =
  | { readonly as: 'atomic' }
  | { readonly as: 'set' }
  | { readonly as: 'map'; readonly keys: readonly [string, ...string[]] };

/** What is wrong with a string, as "must …", or undefined. */
export type StringCheck = (value: string) => string | undefined;

export type Fields = Readonly<Record<string, Schema>>;

export type TypeOf<S> = S extends Schema<infer T> ? T : never;

type Present<F extends Fields> = {
  [K in keyof F]: F[K]['presence'] extends 'required' | 'default' ? K : never;
}[keyof F];
type Absentable<F extends Fields> = {
  [K in keyof F]: F[K]['presence'] extends 'optional' ? K : never;
}[keyof F];
/** The type of a valid, defaulted object of these fields. */
export type ObjectOf<F extends Fields> = {
  readonly [K in Present<F>]: TypeOf<F[K]>;
} & { readonly [K in Absentable<F>]?: TypeOf<F[K]> | undefined };

type Optional<T> = Schema<T, 'optional'>;
type AnyCase = { readonly about?: string };

export function str<const V extends string = string>(
  options: AnyCase & {
    check?: StringCheck;
    values?: readonly V[];
    lacks?: readonly string[];
  } = {},
): Optional<V> {
  const { check, values, lacks } = options;
  return optional({ kind: 'string', check, values, lacks }, options);
}

const integer =
  (least: number, most: number) =>
  (options: AnyCase & { min?: number; max?: number } = {}): Optional<number> => {
    const { min = least, max = most } = options;
    return optional({ kind: 'integer', min, max }, options);
  };
export const int = integer(-(2 ** 31), 2 ** 31 - 1);
/** int64, as far as a JSON number goes. */
export const long = integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
/** A bigint where a JavaScript number isn't exact. */
export const uint64 = (): Optional<number | bigint> =>
  optional({ kind: 'integer', min: 0, max: 2n ** 64n - 1n }, {});

const plain =
  <T>(shape: Shape) =>
  (options: AnyCase = {}): Optional<T> =>
    optional(shape, options);
export const bool = plain<boolean>({ kind: 'boolean' });
export const quantity = plain<string>({ kind: 'quantity' });
export const intOrString = plain<number | string>({ kind: 'int-or-string' });
export const time = plain<string>({ kind: 'time' });
export const base64 = plain<string>({ kind: 'bytes' });
export const json = plain<unknown>({ kind: 'json' });

type ListCase = AnyCase & { max?: number };

/** A list that patches replace as a whole. */
export const list = <S extends Schema>(item: S, options: ListCase = {}) =>
  listOf(item, { as: 'atomic' }, options);

/** A list of distinct scalars. */
export const listSet = <S extends Schema>(item: S, options: ListCase = {}) =>
  listOf(item, { as: 'set' }, options);

/** A list whose entries are told apart by these fields: containers by name. */
export const listMap = <S extends Schema>(
  item: S,
  options: ListCase & { keys: readonly [string, ...string[]] },
) => listOf(item, { as: 'map', keys: options.keys }, options);

export function map<S extends Schema>(
  value: S,
  options: AnyCase & { check?: StringCheck } = {},
): Optional<Readonly<Record<string, TypeOf<S>>>> {
  return optional({ kind: 'map', value, check: options.check }, options);
}

export function obj<F extends Fields>(fields: F, options: AnyCase = {}): Optional<ObjectOf<F>> {
  return optional({ kind: 'object', fields }, options);
}

export function required<T>(schema: Schema<T>): Schema<T, 'required'> {
  return { ...schema, presence: 'required' };
}

/** Absent means `fallback`; Kubernetes' own default. */
export function defaulted<T>(schema: Schema<T>, fallback: NoInfer<T>): Schema<T, 'default'> {
  return { ...schema, presence: 'default', fallback };
}

/** Always there once the kind's own `applyDefaults` has run: its default depends on other fields. */
export function derived<T>(schema: Schema<T>): Schema<T, 'default'> {
  return { ...schema, presence: 'default' };
}

/** Shown with Kubernetes' default; any other value is refused as not supported yet. */
export function fixed<const V extends string | number | boolean>(value: V): Schema<V, 'default'> {
  return {
    shape: { kind: 'unsupported', harmless: [value] },
    presence: 'default',
    fallback: value,
  };
}

/** Refused with its path, unless it holds nothing or one of `harmless`. */
export function unsupported(...harmless: readonly unknown[]): Schema<never, 'unsupported'> {
  return { shape: { kind: 'unsupported', harmless }, presence: 'unsupported' };
}

/** Several unsupported fields at once, none of which has a harmless value: their names, with spaces between. */
export function unsupportedFields(...names: readonly string[]): Readonly<Record<never, Schema>> {
  return Object.fromEntries(
    names.flatMap((some) => some.split(' ')).map((name) => [name, unsupported()]),
  );
}

function listOf<S extends Schema>(
  item: S,
  merge: ListMerge,
  options: ListCase,
): Optional<readonly TypeOf<S>[]> {
  return optional({ kind: 'list', item, merge, max: options.max ?? 10_000 }, options);
}

function optional<T>(shape: Shape, { about }: AnyCase): Optional<T> {
  return { shape, presence: 'optional', ...(about === undefined ? {} : { about }) };
}
