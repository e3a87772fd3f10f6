/**
 * A small schema language for Kubernetes objects. One description of a kind's fields gives its TypeScript type
 * ({@link TypeOf}), the check of its shape (check-shape.ts), its defaults (normalize.ts), the list keys that
 * patches merge by and what `explain` prints.
 */
export interface Schema<T = unknown, P extends Presence = Presence> {
  readonly shape: Shape;
  readonly presence: P;
  /** Set when the field is absent; only with presence 'default'. */
  readonly fallback?: unknown;
  readonly about?: string | undefined;
  /** null is kept. */
  readonly nullable?: boolean | undefined;
  /** Type only: never there at run time. */
  readonly type?: T;
}

type Presence = 'optional' | 'required' | 'default' | 'unsupported';

export type Shape =
  | {
      readonly kind: 'string';
      readonly check?: StringCheck | undefined;
      readonly values?: readonly string[] | undefined;
      /** Values that Kubernetes has and orc lacks: refused as such. */
      readonly lacks?: readonly string[] | undefined;
    }
  | { readonly kind: 'integer'; readonly min: number; readonly max: number | bigint }
  | { readonly kind: 'number' }
  | { readonly kind: 'boolean' }
  /** A resource.Quantity: a string such as "100m" or "1Gi", or a number; kept as the string. */
  | { readonly kind: 'quantity' }
  | { readonly kind: 'int-or-string' }
  /** RFC 3339; kept as the string. Go's clients read a MicroTime only with six digits behind the seconds. */
  | { readonly kind: 'time'; readonly micro?: boolean }
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
  | {
      readonly kind: 'map';
      readonly value: Schema;
      readonly check?: StringCheck | undefined;
      readonly atomic?: boolean;
    }
  | {
      readonly kind: 'object';
      readonly fields: Fields;
      /** Fields beside these. undefined: there are none. */
      readonly others?: Schema | undefined;
      /** Patches replace it as a whole. */
      readonly atomic?: boolean;
    }
  /** Known to Kubernetes, not to orc: refused by path, unless it holds one of these values (Kubernetes' default). */
  | { readonly kind: 'unsupported'; readonly harmless: readonly unknown[] };

/**
 * How patches see a list: replaced as a whole; a set of scalars; or a map, whose entries are told apart by `keys`. The
 * first of them is strategic merge's one key.
 */
export type ListMerge =
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

/** A field that may be absent, unless more is said of it. */
interface Optional<T> extends Schema<T, 'optional'> {
  /** What the API's documentation says of it. */
  doc(about: string): Optional<T>;
  required(): Schema<T, 'required'>;
  /** Absent means `fallback`; Kubernetes' own default. */
  default(fallback: NoInfer<T>): Schema<T, 'default'>;
  /** Always there once the kind's own `applyDefaults` has run: its default depends on other fields. */
  derived(): Schema<T, 'default'>;
}

function optional<T>(shape: Shape, about?: string): Optional<T> {
  const schema = { shape, ...(about === undefined ? {} : { about }) };
  return {
    ...schema,
    presence: 'optional',
    doc: (words) => optional(shape, words),
    required: () => ({ ...schema, presence: 'required' }),
    default: (fallback) => ({ ...schema, presence: 'default', fallback }),
    derived: () => ({ ...schema, presence: 'default' }),
  };
}

export const str = <const V extends string = string>(
  options: { check?: StringCheck; values?: readonly V[]; lacks?: readonly string[] } = {},
) => optional<V>({ kind: 'string', ...options });

const integer =
  (least: number, most: number) =>
  ({ min = least, max = most }: { min?: number; max?: number } = {}): Optional<number> =>
    optional({ kind: 'integer', min, max });
export const int = integer(-(2 ** 31), 2 ** 31 - 1);
/** int64, as far as a JSON number goes. */
export const long = integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
/** A bigint where a JavaScript number isn't exact. */
export const uint64 = (): Optional<number | bigint> =>
  optional({ kind: 'integer', min: 0, max: 2n ** 64n - 1n });

export const number = () => optional<number>({ kind: 'number' });
export const bool = () => optional<boolean>({ kind: 'boolean' });
export const quantity = () => optional<string>({ kind: 'quantity' });
export const intOrString = () => optional<number | string>({ kind: 'int-or-string' });
export const time = () => optional<string>({ kind: 'time' });
export const microTime = () => optional<string>({ kind: 'time', micro: true });
export const base64 = () => optional<string>({ kind: 'bytes' });
export const json = () => optional<unknown>({ kind: 'json' });

/** A list that patches replace as a whole. */
export const list = <S extends Schema>(item: S, options: { max?: number } = {}) =>
  listOf(item, { as: 'atomic' }, options.max);

/** A list of distinct scalars. */
export const listSet = <S extends Schema>(item: S) => listOf(item, { as: 'set' });

/** A list whose entries are told apart by these fields: containers by name. */
export const listMap = <S extends Schema>(item: S, ...keys: readonly [string, ...string[]]) =>
  listOf(item, { as: 'map', keys });

const listOf = <S extends Schema>(item: S, merge: ListMerge, max = 10_000) =>
  optional<readonly TypeOf<S>[]>({ kind: 'list', item, merge, max });

export const map = <S extends Schema>(value: S, options: { check?: StringCheck } = {}) =>
  optional<Readonly<Record<string, TypeOf<S>>>>({ kind: 'map', value, ...options });

/** `others`: what fields beside these are; undefined: there are none. */
export const obj = <F extends Fields>(fields: F, others?: Schema) =>
  optional<ObjectOf<F>>({ kind: 'object', fields, others });

/** Shown with Kubernetes' default; any other value is refused as not supported yet. */
export const fixed = <const V extends string | number | boolean>(value: V) =>
  optional<V>({ kind: 'unsupported', harmless: [value] }).default(value as NoInfer<V>);

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

/** Several fields of one kind. */
export const all = <S extends Schema, const K extends string>(schema: S, ...names: readonly K[]) =>
  Object.fromEntries(names.map((name) => [name, schema])) as { readonly [N in K]: S };
