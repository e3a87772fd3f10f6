import { parseIpv4 } from '../../base/ipv4.ts';
import { mountFlag, opKind, recordFlag, sizeOf } from '../../native/binding.ts';
import { spaceNumber } from './namespace-path.ts';
import type { MountFlag, Op } from './op.ts';

/** One record of `struct orc_record`: what is absent is zero. */
export interface WireRecord {
  readonly kind?: number;
  readonly flags?: number;
  /** At most five, unsigned 32 bit. */
  readonly num?: readonly number[];
  /** At most four, unsigned 64 bit. */
  readonly wide?: readonly bigint[];
  /** At most four; a string must not hold NUL; an array is a list of strings. */
  readonly text?: readonly (string | Uint8Array | readonly string[])[];
}

/** A request's payload: its arguments, then the operations, in the layout of `struct orc_list`. Throws RangeError. */
export function encodeList(args: WireRecord, ops: readonly Op[]): Buffer {
  const records = [{ ...args, kind: opKind.ARGUMENTS }, ...ops.map(toRecord)];
  const texts = records.map((record) => (record.text ?? []).map(textBytes));
  const blobSize = texts.flat().reduce((sum, text) => sum + text.length + 1, 0);
  const blobAt = sizeOf.list + records.length * sizeOf.record;
  const bytes = Buffer.alloc(blobAt + blobSize);
  bytes.writeUInt32LE(records.length, 0);
  bytes.writeUInt32LE(blobSize, 4);
  let textAt = 0;
  for (const [i, record] of records.entries()) {
    const at = sizeOf.list + i * sizeOf.record;
    writeNumbers(bytes, at, record);
    for (const [t, text] of texts[i]!.entries()) {
      bytes.writeUInt32LE(textAt, at + 56 + 8 * t);
      bytes.writeUInt32LE(text.length, at + 60 + 8 * t);
      bytes.set(text, blobAt + textAt);
      textAt += text.length + 1;
    }
  }
  return bytes;
}

/** The uid, as the container sees it, that the list gives the process: its pipes and its terminal belong to it. */
export function finalUid(ops: readonly Op[]): number {
  return ops.findLast((op) => op.op === 'set-ids')?.uid ?? 0;
}

function writeNumbers(bytes: Buffer, at: number, record: WireRecord): void {
  bytes.writeUInt16LE(record.kind ?? 0, at);
  bytes.writeUInt16LE(record.flags ?? 0, at + 2);
  for (const [n, value] of (record.num ?? []).entries()) bytes.writeUInt32LE(value, at + 4 + 4 * n);
  for (const [n, value] of (record.wide ?? []).entries())
    bytes.writeBigUInt64LE(value, at + 24 + 8 * n);
}

function textBytes(text: string | Uint8Array | readonly string[]): Uint8Array {
  if (text instanceof Uint8Array) return text;
  const strings = typeof text === 'string' ? [text] : text;
  if (strings.some((s) => s.includes('\0'))) throw new RangeError('a string holds a NUL character');
  return Buffer.from(strings.join('\0'));
}

type Name = Op['op'];
type OpOf<K extends Name> = Extract<Op, { readonly op: K }>;

function toRecord<K extends Name>(op: OpOf<K>): WireRecord {
  const fields: { readonly [N in K]: (op: OpOf<N>) => WireRecord } = fieldsOf;
  return { ...fields[op.op as K](op), kind: kindOf(op.op) };
}

/** `set-root` is SET_ROOT. */
function kindOf(name: Name): number {
  return opKind[name.toUpperCase().replaceAll('-', '_') as keyof typeof opKind];
}

const nothing = () => ({});
const path = (op: { readonly path: string }) => ({ text: [op.path] });
const inRoot = (op: { readonly inRoot: boolean }) => flag(op.inRoot, recordFlag.IN_ROOT);
const mountFlags = (op: OpOf<'mount' | 'bind'>) => inRoot(op) | flag(op.create, recordFlag.CREATE);

/** What of each operation goes where: the comments of `enum orc_op`. */
const fieldsOf: { readonly [K in Name]: (op: OpOf<K>) => WireRecord } = {
  'set-root': path,
  mkdir: (op) => ({ flags: inRoot(op), num: [op.mode, op.uid, op.gid], text: [op.path] }),
  symlink: (op) => ({ flags: inRoot(op), text: [op.path, op.to] }),
  mknod: (op) => ({
    flags: inRoot(op),
    num: [op.mode, op.uid, op.gid, op.major, op.minor],
    text: [op.path],
  }),
  write: (op) => ({ text: [op.path, op.bytes] }),
  mount: (op) => ({
    flags: mountFlags(op),
    num: [mountBits(op.flags)],
    text: [op.source, op.target, op.fstype, op.data],
  }),
  bind: (op) => ({
    flags: mountFlags(op) | flag(op.idmap, recordFlag.IDMAP),
    num: [mountBits(op.flags)],
    text: [op.source, op.target, op.sourceBelow],
  }),
  mask: path,
  'read-only': path,
  'read-only-root': nothing,
  'make-private': nothing,
  'pivot-root': nothing,
  chdir: path,
  join: (op) => ({ num: [spaceNumber[op.namespace]] }),
  'enter-container': (op) => ({ text: [op.container] }),
  unshare: ({ namespaces }) => ({
    num: [flag(namespaces.includes('mount'), 1) | flag(namespaces.includes('cgroup'), 2)],
  }),
  'link-up': (op) => ({ text: [op.link] }),
  'add-address': (op) => ({ num: [ipv4Number(op.address), op.prefix], text: [op.link] }),
  'add-route': ({ link, destination, prefix, gateway }) => ({
    flags: flag(gateway !== undefined, recordFlag.GATEWAY),
    num: [ipv4Number(destination), prefix, gateway === undefined ? 0 : ipv4Number(gateway)],
    text: [link],
  }),
  terminal: nothing,
  dial: (op) => ({ num: [op.port] }),
  'new-session': (op) => ({ flags: flag(op.controllingTerminal, recordFlag.TERMINAL) }),
  'new-keyring': nothing,
  umask: (op) => ({ num: [op.mask] }),
  'set-ids': (op) => ({ num: [op.uid, op.gid], text: [uint32Bytes(op.groups)] }),
  'drop-bounding': (op) => ({ wide: [op.keep] }),
  'set-caps': (op) => ({ wide: [op.effective, op.permitted, op.inheritable, op.ambient] }),
  'no-new-privs': nothing,
  seccomp: (op) => ({ text: [op.program] }),
  exec: (op) => ({ num: [op.argv.length, op.env.length], text: [op.argv, op.env] }),
};

function flag(on: boolean, bit: number): number {
  return on ? bit : 0;
}

const mountBit: Readonly<Record<MountFlag, number>> = {
  ro: mountFlag.RO,
  nosuid: mountFlag.NOSUID,
  nodev: mountFlag.NODEV,
  noexec: mountFlag.NOEXEC,
};

function mountBits(flags: readonly MountFlag[]): number {
  return flags.reduce((bits, name) => bits | mountBit[name], 0);
}

function ipv4Number(address: string): number {
  const number = parseIpv4(address);
  if (number === undefined) throw new RangeError(`not an IPv4 address: ${address}`);
  return number;
}

function uint32Bytes(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32LE(value, 4 * i);
  return bytes;
}
