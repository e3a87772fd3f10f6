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

type OpRecord = WireRecord & { readonly kind: number };

function toRecord(op: Op): OpRecord {
  switch (op.op) {
    case 'set-root':
      return { kind: opKind.SET_ROOT, text: [op.path] };
    case 'mkdir':
      return {
        kind: opKind.MKDIR,
        flags: flag(op.inRoot, recordFlag.IN_ROOT),
        num: [op.mode, op.uid, op.gid],
        text: [op.path],
      };
    case 'write':
      return { kind: opKind.WRITE, text: [op.path, op.bytes] };
    case 'symlink':
    case 'mknod':
      return fileRecord(op);
    case 'mount':
    case 'bind':
      return mountRecord(op);
    case 'mask':
      return { kind: opKind.MASK, text: [op.path] };
    case 'read-only':
      return { kind: opKind.READ_ONLY, text: [op.path] };
    case 'read-only-root':
      return { kind: opKind.READ_ONLY_ROOT };
    case 'make-private':
      return { kind: opKind.MAKE_PRIVATE };
    case 'pivot-root':
      return { kind: opKind.PIVOT_ROOT };
    case 'chdir':
      return { kind: opKind.CHDIR, text: [op.path] };
    case 'join':
    case 'enter-container':
    case 'unshare':
      return namespaceRecord(op);
    case 'link-up':
    case 'add-address':
    case 'add-route':
      return linkRecord(op);
    default:
      return processRecord(op);
  }
}

type OpOf<K extends Op['op']> = Extract<Op, { readonly op: K }>;

function fileRecord(op: OpOf<'symlink' | 'mknod'>): OpRecord {
  const inRoot = flag(op.inRoot, recordFlag.IN_ROOT);
  switch (op.op) {
    case 'symlink':
      return record(opKind.SYMLINK, { flags: inRoot, text: [op.path, op.to] });
    case 'mknod':
      return record(opKind.MKNOD, {
        flags: inRoot,
        num: [op.mode, op.uid, op.gid, op.major, op.minor],
        text: [op.path],
      });
  }
}

function mountRecord(op: OpOf<'mount' | 'bind'>): OpRecord {
  const flags = flag(op.inRoot, recordFlag.IN_ROOT) | flag(op.create, recordFlag.CREATE);
  const num = [mountBits(op.flags)];
  if (op.op === 'mount')
    return record(opKind.MOUNT, {
      flags,
      num,
      text: [op.source, op.target, op.fstype, op.data],
    });
  return record(opKind.BIND, {
    flags: flags | flag(op.idmap, recordFlag.IDMAP),
    num,
    text: [op.source, op.target, op.sourceBelow],
  });
}

function namespaceRecord(op: OpOf<'join' | 'enter-container' | 'unshare'>): OpRecord {
  switch (op.op) {
    case 'join':
      return record(opKind.JOIN, { num: [spaceNumber[op.namespace]] });
    case 'enter-container':
      return record(opKind.ENTER_CONTAINER, { text: [op.container] });
    case 'unshare':
      return record(opKind.UNSHARE, {
        num: [flag(op.namespaces.includes('mount'), 1) | flag(op.namespaces.includes('cgroup'), 2)],
      });
  }
}

function linkRecord(op: OpOf<'link-up' | 'add-address' | 'add-route'>): OpRecord {
  switch (op.op) {
    case 'link-up':
      return record(opKind.LINK_UP, { text: [op.link] });
    case 'add-address':
      return record(opKind.ADD_ADDRESS, {
        num: [ipv4Number(op.address), op.prefix],
        text: [op.link],
      });
    case 'add-route':
      return record(opKind.ADD_ROUTE, {
        flags: flag(op.gateway !== undefined, recordFlag.GATEWAY),
        num: [
          ipv4Number(op.destination),
          op.prefix,
          op.gateway === undefined ? 0 : ipv4Number(op.gateway),
        ],
        text: [op.link],
      });
  }
}

function processRecord(op: ProcessOp): OpRecord {
  switch (op.op) {
    case 'terminal':
      return record(opKind.TERMINAL, {});
    case 'dial':
      return record(opKind.DIAL, { num: [op.port] });
    case 'new-session':
      return record(opKind.NEW_SESSION, {
        flags: flag(op.controllingTerminal, recordFlag.TERMINAL),
      });
    case 'new-keyring':
      return record(opKind.NEW_KEYRING, {});
    case 'umask':
      return record(opKind.UMASK, { num: [op.mask] });
    case 'set-ids':
      return record(opKind.SET_IDS, { num: [op.uid, op.gid], text: [uint32Bytes(op.groups)] });
    case 'drop-bounding':
      return record(opKind.DROP_BOUNDING, { wide: [op.keep] });
    case 'set-caps':
      return record(opKind.SET_CAPS, {
        wide: [op.effective, op.permitted, op.inheritable, op.ambient],
      });
    case 'no-new-privs':
      return record(opKind.NO_NEW_PRIVS, {});
    case 'seccomp':
      return record(opKind.SECCOMP, { text: [op.program] });
    case 'exec':
      return record(opKind.EXEC, {
        num: [op.argv.length, op.env.length],
        text: [op.argv, op.env],
      });
  }
}

type ProcessOp = OpOf<
  | 'terminal'
  | 'dial'
  | 'new-session'
  | 'new-keyring'
  | 'umask'
  | 'set-ids'
  | 'drop-bounding'
  | 'set-caps'
  | 'no-new-privs'
  | 'seccomp'
  | 'exec'
>;

function record(kind: number, rest: WireRecord): OpRecord {
  return { ...rest, kind };
}

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
