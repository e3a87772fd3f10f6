import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { LayerCompression } from '../../agent/images/manifest.ts';
import type { Rng } from '../../base/rng.ts';
import { type RawTarEntry, tarEntry } from './tar-archive.ts';

/** A layer as an attacker's builder, or a bad cable, might make it. */
export interface FuzzedLayer {
  readonly tar: Buffer;
  readonly compression: LayerCompression;
  /** The tar compressed, and sometimes damaged after that. */
  readonly blob: Buffer;
}

/** `outside`: a directory that it tries to reach. The same generator gives the same layers. */
export function fuzzLayer(rng: Rng, outside: string): FuzzedLayer {
  const parts = Array.from({ length: 1 + below(rng, 12) }, () => part(rng, outside));
  if (rng.fraction() < 0.7) parts.unshift(...ground);
  const shuffled = rng.fraction() < 0.15 ? spliced(rng, parts) : parts;
  const end = rng.fraction() < 0.8 ? Buffer.alloc(1024) : Buffer.alloc(0);
  const tar = sometimesCut(rng, damaged(rng, Buffer.concat([...shuffled, end]), 0.06), 0.05);
  const compression = pick(rng, ['none', 'none', 'gzip', 'zstd'] as const);
  const bytes = compressors[compression](tar);
  const blob = sometimesCut(rng, compression === 'none' ? bytes : damaged(rng, bytes, 0.08), 0.03);
  return { tar, compression, blob };
}

const compressors = {
  none: (tar: Buffer) => tar,
  gzip: (tar: Buffer) => gzipSync(tar, { level: 1 }),
  zstd: (tar: Buffer) => zstdCompressSync(tar),
};

const below = (rng: Rng, limit: number) => Math.floor(rng.fraction() * limit);
const pick = <T>(rng: Rng, from: readonly T[]): T => from[below(rng, from.length)] as T;

/** Few, so that entries meet: as directories, links, files, whiteouts of one another. */
const names = [
  'a',
  'b',
  'l',
  'a/b',
  'a/l',
  'l/a',
  'a/b/c',
  'l/l/l',
  'b/a/l/c',
  'secret',
  'l/secret',
];
/** So that most of what follows has a place to be, or something to link to. */
const ground = [
  ...['a', 'b', 'a/b', 'b/a'].map((path) => tarEntry({ path, flag: '5', mode: 0o755 })),
  tarEntry({ path: 'l', flag: '2', link: 'a/b' }),
  ...['a/b/c', 'secret'].map((path) => tarEntry({ path, content: 'x' })),
];
const oddNames = [
  ...['', '.', './', '/', '..', '../x', 'a/..', 'a/../../x', '//a', '/etc/passwd', 'a/./b', 'a//'],
  ...['a\nb', '\xff\xfe', 'x'.repeat(255), 'x'.repeat(256), `${'d/'.repeat(2047)}x`, 'a\0b'],
  ...['.wh.', '.wh..', '.wh...', '.wh..wh..opq', 'a/.wh..wh..opq', 'l/.wh..wh..opq', '.wh..wh.x'],
];

function name(rng: Rng): string {
  if (rng.fraction() < 0.03) return pick(rng, oddNames);
  const plain = pick(rng, names);
  return rng.fraction() < 0.15 ? plain.replace(/([^/]+)$/, '.wh.$1') : plain;
}

function target(rng: Rng, outside: string): string {
  const climbing = `${'../'.repeat(below(rng, 12))}${outside.slice(1)}`;
  return pick(rng, [
    name(rng),
    `/${name(rng)}`,
    outside,
    `${outside}/secret`,
    climbing,
    '/proc/self/root',
    '..',
  ]);
}

function part(rng: Rng, outside: string): Buffer {
  const made = entry(rng, outside);
  const kind = rng.fraction();
  if (kind < 0.1) return sparse(rng, made);
  if (kind < 0.15) return longName(rng, made);
  const bytes = tarEntry(made);
  // Headers before its own have their fields patched sometimes, too.
  return rng.fraction() < 0.05 ? patched(rng, bytes) : bytes;
}

function entry(rng: Rng, outside: string): RawTarEntry {
  const flag = pick(rng, [
    ...'000000155552223467'.split(''),
    ...(rng.fraction() < 0.03 ? 'SxgLKVMDN\0'.split('') : []),
  ]);
  const isFile = flag === '0' || flag === '7';
  const content = isFile ? rng.bytes(pick(rng, [0, 1, 511, 512, 513, 5000])) : Buffer.alloc(0);
  const pax = rng.fraction() < 0.2 ? { pax: records(rng, outside) } : {};
  return {
    ...{ flag, path: name(rng), content, ...pax },
    link: flag === '1' && rng.fraction() < 0.7 ? pick(rng, names) : target(rng, outside),
    mode: pick(rng, [0o644, 0o755, 0o4755, 0o1777, 0, 0o7777]),
    uid: below(rng, 3) * 1000,
    mtime: pick(rng, [0, 1, 2 ** 31, 2 ** 33 - 1]),
    major: pick(rng, rng.fraction() < 0.05 ? [0o7777777] : [0, 1, 8]),
    minor: pick(rng, [0, 3, 255]),
  };
}

type Records = Record<string, string | Buffer>;

function records(rng: Rng, outside: string): Records {
  const all: Records = {
    path: name(rng),
    linkpath: target(rng, outside),
    size: pick(rng, ['0', '1', '512', '99999999999', '-1', 'x', '']),
    uid: pick(rng, ['0', '33', '4294967294', '4294967295']),
    gid: pick(rng, ['5', '77', '1000', '-5']),
    mtime: pick(rng, ['1.5', '-1.25', '99999999999', '-99999999999.999999999', 'now', '1.']),
    'SCHILY.xattr.user.note': rng.bytes(below(rng, 30)),
    'SCHILY.xattr.security.capability': pick(rng, [capability, rng.bytes(20), Buffer.alloc(0)]),
    'SCHILY.xattr.system.posix_acl_access': rng.bytes(4 + 8 * below(rng, 4)),
    'SCHILY.xattr.trusted.overlay.opaque': 'y',
    'SCHILY.xattr.trusted.overlay.redirect': '/etc',
    'SCHILY.xattr.user.odd\0name': 'x',
    'GNU.sparse.map': pick(rng, ['0,0', '0,1,600,1', '5,1,0,1', '0,', 'x']),
    'GNU.sparse.size': pick(rng, ['0', '1000', '9007199254740991', '999999999999999']),
    'GNU.sparse.name': name(rng),
    'GNU.sparse.major': pick(rng, ['0', '1', '7']),
    'GNU.sparse.minor': pick(rng, ['0', '1']),
    comment: 'c'.repeat(pick(rng, [1, 100, 2000])),
  };
  const likely = (key: string) => (/^(GNU|size)/.test(key) ? 0.01 : 0.1);
  return Object.fromEntries(Object.entries(all).filter(([key]) => rng.fraction() < likely(key)));
}

const capability = Buffer.from('0100000200042000800000000000000000000000', 'hex');

/** In one of GNU's formats, with a map that is right or nearly. */
function sparse(rng: Rng, { path }: RawTarEntry): Buffer {
  const lengths = Array.from({ length: below(rng, 30) }, () => below(rng, 600));
  const numbers: number[] = [];
  let at = 0;
  for (const length of lengths) {
    at += below(rng, 100_000);
    numbers.push(at, length);
    at += length;
  }
  if (rng.fraction() < 0.1 && numbers.length > 0)
    numbers[below(rng, numbers.length)] = pick(rng, [0, 1, 2 ** 40, 2 ** 52]);
  const size = String(rng.fraction() < 0.95 ? at : below(rng, 2 ** 50));
  const content = rng.bytes(lengths.reduce((sum, length) => sum + length, 0));
  if (rng.fraction() < 0.5) return paxSparse(rng, { path, content, numbers, size });
  return oldSparse({ path, content, numbers, size });
}

interface Sparse {
  readonly path: string;
  readonly content: Buffer;
  readonly numbers: readonly number[];
  readonly size: string;
}

function paxSparse(rng: Rng, { path, content, numbers, size }: Sparse): Buffer {
  const named = { 'GNU.sparse.name': path, 'GNU.sparse.size': size };
  if (rng.fraction() < 0.5)
    return tarEntry({ path, content, pax: { ...named, 'GNU.sparse.map': numbers.join(',') } });
  const map = Buffer.from([numbers.length / 2, ...numbers, ''].join('\n'));
  const blocks = Buffer.concat([map, Buffer.alloc((512 - (map.length % 512)) % 512), content]);
  const version = { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0' };
  return tarEntry({ path, content: blocks, pax: { ...named, ...version } });
}

function oldSparse({ path, content, numbers, size }: Sparse): Buffer {
  const bytes = tarEntry({ path, content, flag: 'S' });
  const header = bytes.subarray(0, 512);
  const octal = (block: Buffer, at: number, value: number) =>
    void block.write(`${value.toString(8).padStart(11, '0').slice(-11)} `, at, 'latin1');
  header.write('ustar  \0', 257, 'latin1');
  header.fill(0, 329, 500);
  for (const [i, value] of numbers.slice(0, 8).entries()) octal(header, 386 + 12 * i, value);
  octal(header, 483, Number(size));
  const more: Buffer[] = [];
  for (let from = 8; from < numbers.length; from += 42) {
    const block = Buffer.alloc(512);
    for (const [i, value] of numbers.slice(from, from + 42).entries()) octal(block, 12 * i, value);
    block[504] = from + 42 < numbers.length ? 1 : 0;
    more.push(block);
  }
  header[482] = more.length > 0 ? 1 : 0;
  return Buffer.concat([withChecksum(header), ...more, bytes.subarray(512)]);
}

function longName(rng: Rng, made: RawTarEntry): Buffer {
  const flag = pick(rng, ['L', 'K'] as const);
  return Buffer.concat([
    tarEntry({ path: '././@LongLink', flag, content: Buffer.from(`${name(rng)}\0`, 'latin1') }),
    tarEntry(made),
  ]);
}

/** A header's numbers. */
const fields = [
  ...[100, 108, 116, 329, 337].map((start) => ({ start, length: 8 })),
  ...[124, 136].map((start) => ({ start, length: 12 })),
];

/** One of its fields is an edge; the checksum is right again. */
function patched(rng: Rng, bytes: Buffer): Buffer {
  const header = bytes.subarray(0, 512);
  const field = pick(rng, fields);
  const edge = pick(rng, ['00', '80', 'ff', 'c0', '37', '20']);
  const rest = pick(rng, ['00', 'ff', '37', '7f']);
  header.set(Buffer.from(edge + rest.repeat(field.length - 1), 'hex'), field.start);
  if (rng.fraction() < 0.3) header[156] = below(rng, 256);
  withChecksum(header);
  return bytes;
}

function withChecksum(header: Buffer): Buffer {
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0`, 148, 'latin1');
  return header;
}

/** Parts again, or in another order, or blocks of one in another. */
function spliced(rng: Rng, parts: readonly Buffer[]): readonly Buffer[] {
  const all = parts.flatMap((bytes) => (rng.fraction() < 0.3 ? [bytes, bytes] : [bytes]));
  const at = below(rng, all.length);
  const turned = [...all.slice(at), ...all.slice(0, at)];
  if (rng.fraction() < 0.5) return turned;
  const victim = turned[0] as Buffer;
  const cut = 512 * below(rng, victim.length / 512);
  return [victim.subarray(0, cut), ...turned.slice(1), victim.subarray(cut)];
}

function damaged(rng: Rng, bytes: Buffer, likelihood: number): Buffer {
  if (rng.fraction() > likelihood) return bytes;
  const copy = Buffer.from(bytes);
  for (let i = 1 + below(rng, 4); i > 0; i--) copy[below(rng, copy.length)]! ^= 1 << below(rng, 8);
  return copy;
}

const sometimesCut = (rng: Rng, bytes: Buffer, likelihood: number) =>
  rng.fraction() < likelihood ? bytes.subarray(0, below(rng, bytes.length)) : bytes;
