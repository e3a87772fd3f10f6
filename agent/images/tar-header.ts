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
  /** 0 for everything but files. */
  readonly size: number;
  /** Of a sparse file, in order: where the content that follows belongs. Between them are holes. */
  readonly ranges?: readonly TarRange[];
  readonly mtime: TarTime;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

export interface TarRange {
  readonly offset: number;
  readonly bytes: number;
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
  if (headerNumber(block, 148, 8) !== sum) throw invalidLayer('a header has a wrong checksum');
  const size = headerNumber(block, 124, 12);
  if (size < 0) throw invalidLayer('an entry has a wrong size');
  return { flag: String.fromCharCode(block[156] || 0x30), size, block };
}

function checksum(block: Buffer): number {
  let sum = 8 * 32;
  for (let i = 0; i < blockBytes; i++) if (i < 148 || i >= 156) sum += block[i] as number;
  return sum;
}

/** What headers before an entry's own say about it. */
export interface Extended {
  readonly pax: PaxRecords;
  /** From GNU's own headers. */
  readonly path?: string;
  readonly link?: string;
}

/** GNU's long names win over PAX records, as in Go, whose reader all other engines use; both win over the block. */
export function entryPath({ block }: TarHeader, { pax, path }: Extended): string {
  return pax.sparse.get('name') || path || pax.path || blockPath(block);
}

/** Of a sparse file it has the size of what is stored. */
export function completeEntry(header: TarHeader, extended: Extended): TarEntry {
  const { block } = header;
  const { pax } = extended;
  const path = entryPath(header, extended);
  const type = typeOf(header.flag, path);
  const isLink = type === 'symlink' || type === 'hard-link';
  const isDevice = type === 'char-device' || type === 'block-device';
  return {
    type,
    path,
    link: isLink ? extended.link || pax.link || text(block, 157, 100) : '',
    mode: headerNumber(block, 100, 8) & 0o7777,
    // The highest id is the kernel's word for "leave it".
    uid: unsigned('owner', pax.uid ?? headerNumber(block, 108, 8)),
    gid: unsigned('group', pax.gid ?? headerNumber(block, 116, 8)),
    size: type === 'file' ? (pax.size ?? header.size) : 0,
    mtime: pax.mtime ?? { seconds: headerNumber(block, 136, 12), nanoseconds: 0 },
    major: isDevice ? unsigned('device', headerNumber(block, 329, 8)) : 0,
    minor: isDevice ? unsigned('device', headerNumber(block, 337, 8)) : 0,
    xattrs: pax.xattrs,
  };
}

function blockPath(block: Buffer): string {
  const name = text(block, 0, 100);
  const prefix = hasPrefix(block) ? text(block, 345, 155) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** Go before 1.8, and so docker until 2017, wrote GNU headers now and then that have one in the place of two times. */
function hasPrefix(block: Buffer): boolean {
  const magic = block.toString('latin1', 257, 263);
  return magic === 'ustar\0' || (magic === 'ustar ' && /[!-/8-~]/.test(text(block, 345, 24)));
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
  S: 'file',
} as const;

type TarType = (typeof types)[keyof typeof types];
const typesByFlag: Readonly<Record<string, TarType>> = types;

function typeOf(flag: string, path: string): TarType {
  const type = typesByFlag[flag];
  if (type === undefined) throw invalidLayer(`entry type "${flag}" is not supported`);
  return type === 'file' && path.endsWith('/') ? 'directory' : type;
}

function unsigned(what: string, value: number): number {
  if (value >= 0 && value < 2 ** 32 - 1) return value;
  throw invalidLayer(`its ${what} ${value} is out of range`);
}

/** Octal digits, or base 256 if the first bit is set (GNU). */
export function headerNumber(block: Buffer, offset: number, bytes: number): number {
  const field = block.subarray(offset, offset + bytes);
  const digits = text(field, 0, bytes).trim();
  const isBinary = ((field[0] as number) & 0x80) !== 0;
  if (!isBinary && !/^[0-7]*$/.test(digits)) throw invalidLayer('a header has a wrong number');
  const value = isBinary ? base256(field) : Number.parseInt(digits || '0', 8);
  if (!Number.isSafeInteger(value)) throw invalidLayer('a header has too large a number');
  return value;
}

function base256(field: Buffer): number {
  return Number(BigInt.asIntN(field.length * 8 - 1, BigInt(`0x${field.toString('hex')}`)));
}

function text(block: Buffer, offset: number, bytes: number): string {
  const end = block.indexOf(0, offset);
  const stop = end < 0 || end > offset + bytes ? offset + bytes : end;
  return block.toString('latin1', offset, stop);
}

/** For messages: bytes back to text, not endlessly long. */
export function quoted(latin1: string): string {
  return JSON.stringify(Buffer.from(latin1, 'latin1').toString('utf8').slice(0, 200));
}
