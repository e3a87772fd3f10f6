import { invalidLayer } from './image-error.ts';
import type { PaxRecords, TarTime } from './pax.ts';

/** What an entry is, after all its headers were read. Text is latin1: one character per byte, so that no name is altered. */
export interface TarEntry {
  readonly type: TarType;
  readonly path: string;
  /** Target of a symbolic or hard link, "" otherwise. */
  readonly link: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Content that follows; 0 for everything but files. */
  readonly size: number;
  readonly mtime: TarTime;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

export const blockBytes = 512;

/** One 512-byte header block: ustar, GNU or the old format without a magic. */
export interface TarHeader {
  /** As in the file: "0", "5", "x", "L" … */
  readonly flag: string;
  readonly size: number;
  readonly block: Buffer;
}

/** undefined for a block of zeros, which ends the archive. Throws ImageError InvalidLayer. */
export function parseHeader(block: Buffer): TarHeader | undefined {
  const sum = checksum(block);
  if (sum === 8 * 32 && block.every((byte) => byte === 0)) return undefined;
  if (number(block, 148, 8) !== sum) throw invalidLayer('a header has a wrong checksum');
  const size = number(block, 124, 12);
  if (!Number.isSafeInteger(size) || size < 0) throw invalidLayer('an entry has a wrong size');
  return { flag: String.fromCharCode(block[156] || 0x30), size, block };
}

function checksum(block: Buffer): number {
  let sum = 8 * 32;
  for (let i = 0; i < blockBytes; i++) if (i < 148 || i >= 156) sum += block[i] as number;
  return sum;
}

export type LongNames = Pick<PaxRecords, 'path' | 'link'>;

/** PAX records win over GNU's long names, which win over the block. */
export function completeEntry(header: TarHeader, pax: PaxRecords, long: LongNames): TarEntry {
  const { block } = header;
  const path = pax.path ?? long.path ?? headerPath(block);
  const type = typeOf(header.flag, path);
  const isLink = type === 'symlink' || type === 'hard-link';
  return {
    type,
    path,
    link: isLink ? (pax.link ?? long.link ?? text(block, 157, 100)) : '',
    mode: number(block, 100, 8) & 0o7777,
    uid: ownerId(pax.uid ?? number(block, 108, 8)),
    gid: ownerId(pax.gid ?? number(block, 116, 8)),
    size: type === 'file' ? (pax.size ?? header.size) : 0,
    mtime: pax.mtime ?? { seconds: number(block, 136, 12), nanoseconds: 0 },
    major: number(block, 329, 8),
    minor: number(block, 337, 8),
    xattrs: pax.xattrs,
  };
}

function headerPath(block: Buffer): string {
  const name = text(block, 0, 100);
  const isUstar = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isUstar ? text(block, 345, 155) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

const types = {
  '0': 'file',
  '1': 'hard-link',
  '2': 'symlink',
  '3': 'char-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
  '7': 'file',
} as const;

type TarType = (typeof types)[keyof typeof types];
const typesByFlag: Readonly<Record<string, TarType>> = types;

function typeOf(flag: string, path: string): TarType {
  if (flag === 'S') throw invalidLayer('GNU sparse files are not supported');
  const type = typesByFlag[flag];
  if (type === undefined) throw invalidLayer(`entry type "${flag}" is not supported`);
  return type === 'file' && path.endsWith('/') ? 'directory' : type;
}

/** The highest id is the kernel's word for "leave it". */
function ownerId(id: number): number {
  if (Number.isInteger(id) && id >= 0 && id < 2 ** 32 - 1) return id;
  throw invalidLayer(`owner ${id} is out of range`);
}

/** Octal digits, or base 256 if the first bit is set (GNU). */
function number(block: Buffer, offset: number, bytes: number): number {
  const field = block.subarray(offset, offset + bytes);
  if ((field[0] as number) & 0x80) return base256(field);
  const digits = text(field, 0, bytes).trim();
  if (!/^[0-7]*$/.test(digits)) throw invalidLayer('a header has a wrong number');
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

function base256(field: Buffer): number {
  return Number(BigInt.asIntN(field.length * 8 - 1, BigInt(`0x${field.toString('hex')}`)));
}

function text(block: Buffer, offset: number, bytes: number): string {
  const end = block.indexOf(0, offset);
  const stop = end < 0 || end > offset + bytes ? offset + bytes : end;
  return block.toString('latin1', offset, stop);
}
