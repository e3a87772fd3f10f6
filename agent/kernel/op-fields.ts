import { recordFlag, space } from '../../native/generated/binding.ts';

/** One record of `struct orc_record`: what is absent is zero. */
export interface WireRecord {
  readonly kind?: number;
  readonly flags?: number;
  /** At most five, unsigned 32 bit. */
  readonly num?: readonly number[];
  /** At most four, unsigned 64 bit. */
  readonly wide?: readonly bigint[];
  /** At most four; a string must not hold NUL; an array is a list of strings. */
  readonly text?: readonly WireText[];
}

export type WireText = string | Uint8Array | readonly string[];

/** A record that is being filled: each field takes the next place of its kind. */
interface Draft {
  flags: number;
  readonly num: number[];
  readonly wide: bigint[];
  readonly text: WireText[];
}

/** How a field of an operation is put into its record. */
export type Field<T> = Readonly<{ put: (record: Draft, value: T) => void }>;

/** Absent: zero, or empty. */
export interface OptionalField<T> extends Field<T | undefined> {
  readonly isOptional: true;
}

type Fields = Readonly<Record<string, Field<never>>>;

type Value<F> =
  F extends OptionalField<infer T> ? T | undefined : F extends Field<infer T> ? T : never;
type OptionalName<F extends Fields> = {
  [K in keyof F]: F[K] extends OptionalField<never> ? K : never;
}[keyof F];

/** The TypeScript side of such fields. */
export type ValuesOf<F extends Fields> = {
  readonly [K in Exclude<keyof F, OptionalName<F>>]: Value<F[K]>;
} & { readonly [K in OptionalName<F>]?: Value<F[K]> };

/** In their order, after the first numbers. */
export function encodeFields(
  fields: readonly (readonly [name: string, Field<never>])[],
  values: Readonly<Record<string, unknown>>,
  first: readonly number[],
): Draft {
  const draft: Draft = { flags: 0, num: [...first], wide: [], text: [] };
  for (const [name, field] of fields) (field as Field<unknown>).put(draft, values[name]);
  return draft;
}

export const u32: Field<number> = { put: ({ num }, value) => num.push(value) };
export const u64: Field<bigint> = { put: ({ wide }, value) => wide.push(value) };
export const text: Field<string> = { put: (record, value) => record.text.push(value) };
export const bytes: Field<Uint8Array> = { put: (record, value) => record.text.push(value) };

/** A list of strings: its length is one of the numbers. */
export const strings: Field<readonly string[]> = {
  put({ num, text: texts }, value) {
    num.push(value.length);
    texts.push(value);
  },
};

export const ids: Field<readonly number[]> = {
  put: (record, value) => record.text.push(new Uint8Array(Uint32Array.from(value).buffer)),
};

export const flag = (name: keyof typeof recordFlag): OptionalField<boolean> => ({
  isOptional: true,
  put(record, value) {
    record.flags |= value === true ? recordFlag[name] : 0;
  },
});

/** A text that op-list.ts makes others of. */
export const spelledOut: OptionalField<string> = { isOptional: true, put: () => undefined };

export function optional<T>(field: Field<T>, absent: NoInfer<T>): OptionalField<T> {
  return { isOptional: true, put: (record, value) => field.put(record, value ?? absent) };
}

/** As mount(2) and mount_setattr(2) both have them. */
export const mountFlag = { ro: 1, nosuid: 2, nodev: 4, noexec: 8 } as const;

/** MS_… of mount(2) and mount_setattr(2). */
export const shareFlag = {
  unbindable: 1n << 17n,
  private: 1n << 18n,
  slave: 1n << 19n,
  shared: 1n << 20n,
} as const;

/** By name, or any of the kernel's for the call. */
export const mountFlags: Field<readonly (keyof typeof mountFlag)[] | number> = {
  put: ({ num }, value) =>
    num.push(typeof value === 'number' ? value : bits(value, (name) => mountFlag[name])),
};

/** CLONE_NEW… */
const cloneFlag = {
  USER: 0x1000_0000,
  NETWORK: 0x4000_0000,
  IPC: 0x0800_0000,
  UTS: 0x0400_0000,
  MOUNT: 0x0002_0000,
  PID: 0x2000_0000,
  CGROUP: 0x0200_0000,
  TIME: 0x80,
} as const;

export type Namespace = Lowercase<keyof typeof cloneFlag>;

/** A set of kinds of namespaces. */
export const namespaces: Field<readonly Namespace[]> = {
  put: ({ num }, value) => num.push(namespaceMask(value)),
};

/** CLONE_NEW… */
export const namespaceMask = (wanted: readonly Namespace[]): number =>
  bits(wanted, (name) => cloneFlag[upper(name)]);

/**
 * Where a process, and its shim, has an open namespace: one place for each kind, and 8 to 15 for further user
 * namespaces, which are for idmapped mounts.
 */
export type Slot = Namespace | number;

export const slot: Field<Slot> = { put: ({ num }, value) => num.push(slotNumber(value)) };

/** `enum orc_space` */
export const slotNumber = (of: Slot): number => (typeof of === 'number' ? of : space[upper(of)]);

const upper = (name: Namespace): Uppercase<Namespace> => name.toUpperCase() as Uppercase<Namespace>;

const bits = <T>(values: readonly T[], bitOf: (value: T) => number): number =>
  values.reduce((sum, value) => sum + bitOf(value), 0);
