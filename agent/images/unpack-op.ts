import type { TarEntry } from './tar-header.ts';

/**
 * One file operation of `orc-unpack`. The layout is that of `struct unpack_op` in native/unpack.c: 64 bytes in the machine's
 * byte order, then path, link, attributes, ranges; a file's content follows.
 */
export interface UnpackOp extends Omit<TarEntry, 'type'> {
  readonly kind: UnpackKind;
  /** Relative to the layer, normalized, latin1; "" is the layer itself. */
  readonly path: string;
}

export type UnpackKind = keyof typeof unpackKinds;

export const unpackKinds = {
  end: 0,
  directory: 1,
  file: 2,
  symlink: 3,
  'hard-link': 4,
  'char-device': 5,
  'block-device': 6,
  fifo: 7,
  whiteout: 8,
  opaque: 9,
  time: 10,
} as const;

/** An operation with nothing but a path. */
export function bareOp(kind: UnpackKind, path: string): UnpackOp {
  const mtime = { seconds: 0, nanoseconds: 0 };
  const numbers = { mode: 0, uid: 0, gid: 0, size: 0, major: 0, minor: 0 };
  return { kind, path, link: '', ...numbers, mtime, xattrs: new Map() };
}

const headBytes = 64;

/** Assumes a little-endian machine, as x86-64 and arm64 Linux are. */
export function encodeUnpackOp(op: UnpackOp): Buffer {
  const xattrs = encodeXattrs(op.xattrs);
  const ranges = encodeRanges(op);
  const bytes = Buffer.alloc(headBytes + op.path.length + op.link.length);
  bytes.writeUInt32LE(unpackKinds[op.kind], 0);
  bytes.writeUInt32LE(op.mode, 4);
  bytes.writeUInt32LE(op.uid, 8);
  bytes.writeUInt32LE(op.gid, 12);
  bytes.writeBigUInt64LE(BigInt(op.size), 16);
  bytes.writeBigInt64LE(BigInt(op.mtime.seconds), 24);
  bytes.writeUInt32LE(op.mtime.nanoseconds, 32);
  bytes.writeUInt32LE(op.major, 36);
  bytes.writeUInt32LE(op.minor, 40);
  bytes.writeUInt32LE(xattrs.length, 44);
  bytes.writeUInt32LE(op.path.length, 48);
  bytes.writeUInt32LE(op.link.length, 52);
  bytes.writeUInt32LE(ranges.length / rangeBytes, 56);
  bytes.write(op.path, headBytes, 'latin1');
  bytes.write(op.link, headBytes + op.path.length, 'latin1');
  return Buffer.concat([bytes, xattrs, ranges]);
}

function encodeXattrs(xattrs: ReadonlyMap<string, Buffer>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of xattrs) {
    const nameBytes = Buffer.from(`${name}\0`, 'latin1');
    const lengths = Buffer.alloc(8);
    lengths.writeUInt32LE(nameBytes.length, 0);
    lengths.writeUInt32LE(value.length, 4);
    parts.push(lengths, nameBytes, value);
  }
  return Buffer.concat(parts);
}

const rangeBytes = 16;

/** None: the content is the file. One of holes only has a range of no bytes at its end. */
function encodeRanges({ ranges, size }: UnpackOp): Buffer {
  if (ranges === undefined) return Buffer.alloc(0);
  const numbers = [...ranges, { offset: size, bytes: 0 }].flatMap((r) => [r.offset, r.bytes]);
  return Buffer.from(BigUint64Array.from(numbers, BigInt).buffer);
}

const failureBytes = 256;

/** `struct unpack_failure`. */
export function decodeUnpackFailure(bytes: Buffer) {
  if (bytes.length !== failureBytes) return undefined;
  const text = (from: number, to: number) => bytes.toString('utf8', from, to).replace(/\0.*$/s, '');
  return {
    /** Which operation, counted from 0. */
    index: bytes.readUInt32LE(0),
    errno: bytes.readInt32LE(4),
    /** What the writer was doing: "mkdir", "resolve", "write" … */
    stage: text(8, 32),
    path: text(32, failureBytes),
  };
}
