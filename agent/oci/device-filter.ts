import { OciError } from './oci-error.ts';
import type { OciResources } from './oci-spec.ts';

type OciDeviceRule = NonNullable<OciResources['devices']>[number];

/**
 * What every container may use, whatever its rules say: the devices that OCI wants in every /dev, its own terminals, and
 * nodes as such, which open nothing by themselves. Not 5:1, the host's console: a container's is a terminal.
 */
export const defaultDevices: readonly OciDeviceRule[] = [
  { allow: true, access: 'm' },
  ...[3, 5, 7, 8, 9].map((minor) => ({ allow: true, type: 'c', major: 1, minor }) as const),
  ...[0, 2].map((minor) => ({ allow: true, type: 'c', major: 5, minor }) as const),
  { allow: true, type: 'c', major: 136 },
];

/**
 * struct bpf_insn[] for BPF_PROG_TYPE_CGROUP_DEVICE: for each kind of access the last rule that fits tells, and what none
 * speaks of is denied. Throws OciError.
 */
export function deviceFilter(rules: readonly OciDeviceRule[]): Buffer {
  const body = rules.flatMap(checked).toReversed().flatMap(judge);
  return Buffer.concat([...loads(), ...body, ...answer(0)]);
}

/**
 * The same as lines for the files devices.allow and devices.deny of version 1, which knows exceptions, but none of
 * exceptions. Throws OciError.
 */
export function deviceLines(
  rules: readonly OciDeviceRule[],
): readonly (readonly [string, string])[] {
  let allowed = false;
  let exceptions: readonly Rule[] = [];
  for (const rule of rules) {
    const each = checked(rule);
    if (each.length === bothTypes.length && each.every(isWhole)) {
      allowed = rule.allow;
      exceptions = [];
    } else
      for (const one of each)
        exceptions = one.allow === allowed ? without(exceptions, one) : [...exceptions, one];
  }
  const [rest, other] = allowed ? ['allow', 'deny'] : ['deny', 'allow'];
  return [
    [`devices.${rest}`, 'a'],
    ...exceptions.map((rule) => [`devices.${other}`, line(rule)] as const),
  ];
}

/** Numbers as in linux/bpf.h. */
interface Rule {
  readonly allow: boolean;
  /** 1: block, 2: character. */
  readonly type: number;
  /** -1: all. */
  readonly major: number;
  readonly minor: number;
  readonly access: number;
}

const BLOCK = 1;
const CHARACTER = 2;
const bothTypes = [BLOCK, CHARACTER] as const;
const accessBits = { m: 1, r: 2, w: 4 } as const;
const EVERY_ACCESS = 7;

function checked({ allow, type = 'a', major, minor, access }: OciDeviceRule): readonly Rule[] {
  const letters = access || 'rwm';
  if (!/^[rwm]+$/.test(letters))
    throw new OciError(FIELD, 'invalid', `access "${letters}" is more than r, w and m`);
  const bits = Object.entries(accessBits).filter(([letter]) => letters.includes(letter));
  const rule = {
    allow,
    major: major ?? -1,
    minor: minor ?? -1,
    access: bits.reduce((sum, [, bit]) => sum | bit, 0),
  };
  const types = type === 'a' ? bothTypes : [type === 'b' ? BLOCK : CHARACTER];
  return types.map((each) => ({ ...rule, type: each }));
}

const FIELD = 'linux.resources.devices';

const isWhole = ({ major, minor, access }: Rule) =>
  major === -1 && minor === -1 && access === EVERY_ACCESS;

/** The kernel takes a rule back only where it is for the very same devices, and is silent otherwise. */
function without(exceptions: readonly Rule[], taken: Rule): readonly Rule[] {
  const meets = (a: number, b: number) => a === b || a === -1 || b === -1;
  const holds = (outer: number, inner: number) => outer === inner || outer === -1;
  return exceptions.flatMap((each) => {
    const rest = each.access & ~taken.access;
    if (each.type !== taken.type || rest === each.access) return [each];
    if (!meets(each.major, taken.major) || !meets(each.minor, taken.minor)) return [each];
    if (!holds(taken.major, each.major) || !holds(taken.minor, each.minor))
      throw new OciError(
        FIELD,
        'missing in this kernel',
        'version 1 of cgroups has no exceptions of exceptions',
      );
    return rest === 0 ? [] : [{ ...each, access: rest }];
  });
}

function line({ type, major, minor, access }: Rule): string {
  const letters = Object.entries(accessBits).filter(([, bit]) => (access & bit) !== 0);
  const number = (value: number) => (value === -1 ? '*' : value);
  const kind = type === BLOCK ? 'b' : 'c';
  return `${kind} ${number(major)}:${number(minor)} ${letters.map(([letter]) => letter).join('')}`;
}

/** Registers: what is asked for (r3: the access that is not yet allowed), and of which device. */
const TYPE = 2;
const ACCESS = 3;
const MAJOR = 4;
const MINOR = 5;

/** struct bpf_cgroup_dev_ctx: access << 16 | type, major, minor; its address is in r1. */
const loads = (): readonly Buffer[] => [
  instruction(LOAD_32, { to: TYPE, from: 1 }),
  instruction(LOAD_32, { to: ACCESS, from: 1 }),
  instruction(LOAD_32, { to: MAJOR, from: 1, offset: 4 }),
  instruction(LOAD_32, { to: MINOR, from: 1, offset: 8 }),
  instruction(AND, { to: TYPE, value: 0xffff }),
  instruction(SHIFT_RIGHT, { to: ACCESS, value: 16 }),
];

/** Goes on behind itself if the rule is for other devices. */
function judge({ allow, type, major, minor, access }: Rule): readonly Buffer[] {
  const verdict = allow
    ? [
        instruction(AND, { to: ACCESS, value: ~access }),
        instruction(UNLESS_EQUAL, { to: ACCESS, value: 0, offset: 2 }),
      ]
    : [
        instruction(COPY, { to: 0, from: ACCESS }),
        instruction(AND, { to: 0, value: access }),
        instruction(IF_EQUAL, { to: 0, value: 0, offset: 2 }),
      ];
  const all = [...verdict, ...answer(allow ? 1 : 0)];
  const conditions = [
    [MINOR, minor],
    [MAJOR, major],
    [TYPE, type],
  ] as const;
  for (const [to, value] of conditions)
    if (value !== -1) all.unshift(instruction(UNLESS_EQUAL, { to, value, offset: all.length }));
  return all;
}

const answer = (value: number): readonly Buffer[] => [
  instruction(SET, { to: 0, value }),
  instruction(EXIT, {}),
];

/** Codes of linux/bpf.h, 64 bits wide; what jumps does so over `offset` instructions. */
const LOAD_32 = 0x61;
const AND = 0x57;
const SHIFT_RIGHT = 0x77;
const COPY = 0xbf;
const SET = 0xb7;
const IF_EQUAL = 0x15;
const UNLESS_EQUAL = 0x55;
const EXIT = 0x95;

function instruction(
  code: number,
  {
    to = 0,
    from = 0,
    offset = 0,
    value = 0,
  }: { [name in 'to' | 'from' | 'offset' | 'value']?: number },
): Buffer {
  const bytes = Buffer.from([code, to | (from << 4), 0, 0, 0, 0, 0, 0]);
  bytes.writeInt16LE(offset, 2);
  bytes.writeInt32LE(value, 4);
  return bytes;
}
