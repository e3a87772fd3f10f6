import { invalidLayer } from './image-error.ts';

/** Since 1970; nanoseconds are never negative. */
export interface TarTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** What a PAX extended header says about the next entry. Text is latin1, attribute values are bytes. */
export interface PaxRecords {
  readonly path?: string;
  readonly link?: string;
  readonly size?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: TarTime;
  readonly xattrs: ReadonlyMap<string, Buffer>;
  /** GNU.sparse.*; what there is several times is a list with commas. Empty: it isn't sparse. */
  readonly sparse: ReadonlyMap<string, string>;
}

export const noPax: PaxRecords = { xattrs: new Map(), sparse: new Map() };

type Mutable = { -readonly [K in keyof PaxRecords]: PaxRecords[K] } & {
  xattrs: Map<string, Buffer>;
  sparse: Map<string, string>;
};

const space = 0x20;
const equals = 0x3d;
const newline = 0x0a;

/**
 * Records of the form "LENGTH KEY=VALUE\n" (POSIX pax, "Extended Header"). Read as bytes: an attribute's value may be anything,
 * security.capability for one is no text. Throws ImageError InvalidLayer.
 */
export function parsePax(bytes: Buffer): PaxRecords {
  const records: Mutable = { xattrs: new Map(), sparse: new Map() };
  for (let at = 0; at < bytes.length; ) {
    const length = recordLength(bytes, at);
    const record = bytes.subarray(bytes.indexOf(space, at) + 1, at + length - 1);
    const split = record.indexOf(equals);
    if (split <= 0 || bytes[at + length - 1] !== newline) throw invalidLayer('wrong PAX record');
    apply(records, record.toString('latin1', 0, split), record.subarray(split + 1));
    at += length;
  }
  return records;
}

function recordLength(bytes: Buffer, at: number): number {
  const digits = bytes.toString('latin1', at, bytes.indexOf(space, at));
  const length = Number(digits);
  if (!/^[1-9][0-9]{0,8}$/.test(digits) || at + length > bytes.length || length < digits.length + 4)
    throw invalidLayer('wrong length of a PAX record');
  return length;
}

const xattrPrefix = 'SCHILY.xattr.';
const sparsePrefix = 'GNU.sparse.';

/** No value means: as if the record weren't there. */
function apply(records: Mutable, key: string, value: Buffer): void {
  const text = value.toString('latin1');
  if (key.startsWith(xattrPrefix)) {
    records.xattrs.set(key.slice(xattrPrefix.length), Buffer.from(value));
  } else if (key.startsWith(sparsePrefix)) {
    const name = key.slice(sparsePrefix.length);
    const before = records.sparse.get(name);
    records.sparse.set(name, before === undefined ? text : `${before},${text}`);
  } else if (text !== '') {
    applyText(records, key, text);
  }
}

function applyText(records: Mutable, key: string, text: string): void {
  if (key === 'path') records.path = text;
  else if (key === 'linkpath') records.link = text;
  else if (key === 'size' || key === 'uid' || key === 'gid') records[key] = wholeNumber(key, text);
  else if (key === 'mtime') records.mtime = time(text);
}

export function wholeNumber(key: string, text: string): number {
  if (!/^[0-9]{1,15}$/.test(text)) throw invalidLayer(`PAX ${key} is not a number`);
  return Number(text);
}

/** Decimal seconds, also before 1970: -0.5 is half a second before it. */
function time(text: string): TarTime {
  const match = /^(-?)([0-9]{1,12})(?:\.([0-9]*))?$/.exec(text);
  if (match === null) throw invalidLayer('PAX mtime is not a time');
  const fraction = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  const seconds = Number(match[2]);
  if (match[1] === '') return { seconds, nanoseconds: fraction };
  return fraction === 0
    ? { seconds: -seconds, nanoseconds: 0 }
    : { seconds: -seconds - 1, nanoseconds: 1e9 - fraction };
}
