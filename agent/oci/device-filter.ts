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
 * Lines for the files devices.allow and devices.deny of version 1: everything is denied, or allowed if a rule says so,
 * but for exceptions. There are none of exceptions: the kernel would overlook them. Throws OciError.
 */
export function deviceLines(rules: readonly OciDeviceRule[]) {
  let allowed = false;
  let exceptions: Rule[] = [];
  for (const rule of rules) {
    const each = numbered(rule);
    if (each.length === 2 && each.every(isWhole)) [allowed, exceptions] = [rule.allow, []];
    else if (rule.allow !== allowed) exceptions.push(...each);
    else if (exceptions.some((one) => each.some((other) => overlap(one, other))))
      throw new OciError(
        FIELD,
        'missing in this kernel',
        'no exceptions of exceptions in cgroup v1',
      );
  }
  const [rest, other] = allowed ? ['allow', 'deny'] : ['deny', 'allow'];
  const lines = exceptions.map((rule) => [`devices.${other}`, lineOf(rule)] as const);
  return [[`devices.${rest}`, 'a'], ...lines];
}

/**
 * struct bpf_insn[] for BPF_PROG_TYPE_CGROUP_DEVICE: for each kind of access the last rule that fits tells, and what none
 * speaks of is denied. Throws OciError.
 */
export function deviceFilter(rules: readonly OciDeviceRule[]): Buffer {
  const body = rules.flatMap(numbered).toReversed().flatMap(judge);
  const bytes = [...prologue, ...body, ...answer(0)].map(([code, registers, skip, value]) => {
    const instruction = Buffer.from([code, registers, 0, 0, 0, 0, 0, 0]);
    instruction.writeInt16LE(skip, 2);
    instruction.writeInt32LE(value, 4);
    return instruction;
  });
  return Buffer.concat(bytes);
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

const FIELD = 'linux.resources.devices';
const typeNumbers = { a: [1, 2], b: [1], c: [2] } as const;
const accessBits = [
  ['r', 2],
  ['w', 4],
  ['m', 1],
] as const;
const EVERY_ACCESS = 7;

/** A rule for all types is one for each. */
function numbered(rule: OciDeviceRule): readonly Rule[] {
  const { allow, type = 'a', major = -1, minor = -1 } = rule;
  const letters = rule.access || 'rwm';
  if (!/^[rwm]+$/.test(letters)) throw new OciError(FIELD, 'invalid', `access "${letters}"`);
  const access = accessBits.reduce(
    (sum, [letter, bit]) => sum + (letters.includes(letter) ? bit : 0),
    0,
  );
  return typeNumbers[type].map((each) => ({ allow, type: each, major, minor, access }));
}

const isWhole = ({ major, minor, access }: Rule) =>
  major === -1 && minor === -1 && access === EVERY_ACCESS;

function overlap(a: Rule, b: Rule): boolean {
  const meets = (one: number, other: number) => one === other || one === -1 || other === -1;
  const same = a.type === b.type && meets(a.major, b.major) && meets(a.minor, b.minor);
  return same && (a.access & b.access) !== 0;
}

function lineOf({ type, major, minor, access }: Rule): string {
  const number = (value: number) => (value === -1 ? '*' : value);
  const letters = accessBits.map(([letter, bit]) => (access & bit ? letter : '')).join('');
  return `${type === 1 ? 'b' : 'c'} ${number(major)}:${number(minor)} ${letters}`;
}

/** Code, registers (from << 4 | to), how many instructions a jump skips, value. */
type Instruction = readonly [number, number, number, number];

/** Codes of linux/bpf.h, 64 bits wide but for the load. */
const LOAD = 0x61;
const AND = 0x57;
const SHIFT_RIGHT = 0x77;
const COPY = 0xbf;
const SET = 0xb7;
const SKIP_IF = 0x15;
const SKIP_UNLESS = 0x55;
const EXIT = 0x95;

/** Registers. ACCESS: what of it was asked for and isn't allowed yet. */
const RESULT = 0;
const CONTEXT = 1 << 4;
const TYPE = 2;
const ACCESS = 3;
const MAJOR = 4;
const MINOR = 5;

/** struct bpf_cgroup_dev_ctx: access << 16 | type, major, minor. */
const prologue: readonly Instruction[] = [
  [LOAD, CONTEXT | TYPE, 0, 0],
  [LOAD, CONTEXT | ACCESS, 0, 0],
  [LOAD, CONTEXT | MAJOR, 4, 0],
  [LOAD, CONTEXT | MINOR, 8, 0],
  [AND, TYPE, 0, 0xffff],
  [SHIFT_RIGHT, ACCESS, 0, 16],
];

const answer = (allow: 0 | 1): readonly Instruction[] => [
  [SET, RESULT, 0, allow],
  [EXIT, 0, 0, 0],
];

/** Goes on behind itself if the rule doesn't tell. */
function judge({ allow, type, major, minor, access }: Rule): readonly Instruction[] {
  const verdict: readonly Instruction[] = allow
    ? [[AND, ACCESS, 0, ~access], [SKIP_UNLESS, ACCESS, 2, 0], ...answer(1)]
    : [
        [COPY, (ACCESS << 4) | RESULT, 0, 0],
        [AND, RESULT, 0, access],
        [SKIP_IF, RESULT, 2, 0],
        ...answer(0),
      ];
  const wanted = (
    [
      [TYPE, type],
      [MAJOR, major],
      [MINOR, minor],
    ] as const
  ).filter(([, value]) => value !== -1);
  const conditions = wanted.map(([register, value], at): Instruction => {
    return [SKIP_UNLESS, register, wanted.length - at - 1 + verdict.length, value];
  });
  return [...conditions, ...verdict];
}
