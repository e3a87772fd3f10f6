import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { parsePax } from '../../../../agent/images/pax.ts';
import type { TarEntry } from '../../../../agent/images/tar-header.ts';
import { tarReader } from '../../../../agent/images/tar-reader.ts';
import { paxRecord, type RawTarEntry, tarArchive, tarEntry } from '../../../support/tar-archive.ts';

type Read = TarEntry & { readonly content: string };

function read(archive: Buffer, pieceBytes = archive.length): Read[] {
  const entries: { entry: TarEntry; pieces: Buffer[] }[] = [];
  const reader = tarReader({
    entry: (entry) => void entries.push({ entry, pieces: [] }),
    content: (piece) => void entries.at(-1)?.pieces.push(piece),
  });
  for (let at = 0; at < archive.length; at += pieceBytes)
    reader.push(archive.subarray(at, at + pieceBytes));
  reader.end();
  return entries.map(({ entry, pieces }) => ({
    ...entry,
    content: Buffer.concat(pieces).toString('latin1'),
  }));
}

const one = (entry: RawTarEntry) => read(tarArchive([entry]))[0];

describe('a tar', () => {
  const archive = tarArchive([
    { path: 'etc/', flag: '5', mode: 0o755 },
    { path: 'etc/motd', content: 'hello\n', uid: 7, gid: 8, mode: 0o4755, mtime: 99 },
    { path: 'empty' },
    { path: 'long', content: Buffer.alloc(2000, 'x') },
    { path: 'link', flag: '2', link: 'etc/motd' },
  ]);

  it('is the same in pieces of any size', () => {
    const whole = read(archive);
    expect(whole.map((e) => [e.type, e.path, e.content.length])).toEqual([
      ['directory', 'etc/', 0],
      ['file', 'etc/motd', 6],
      ['file', 'empty', 0],
      ['file', 'long', 2000],
      ['symlink', 'link', 0],
    ]);
    for (const bytes of [1, 7, 511, 512, 513, 4096]) expect(read(archive, bytes)).toEqual(whole);
  });

  it('gives each entry its attributes', () => {
    expect(read(archive)[1]).toEqual({
      type: 'file',
      path: 'etc/motd',
      link: '',
      mode: 0o4755,
      uid: 7,
      gid: 8,
      size: 6,
      mtime: { seconds: 99, nanoseconds: 0 },
      major: 0,
      minor: 0,
      xattrs: new Map(),
      content: 'hello\n',
    });
  });

  it('may have no end marker, but not end inside an entry', () => {
    expect(read(tarEntry({ path: 'a', content: 'x' })).length).toBe(1);
    expect(() => read(tarEntry({ path: 'a', content: 'x'.repeat(600) }).subarray(0, 1024))).toThrow(
      'in the middle',
    );
    expect(() => read(archive.subarray(0, 700))).toThrow('in the middle');
  });

  it('is refused with a broken header', () => {
    const broken = Buffer.from(archive);
    broken[0]! ^= 1;
    expect(() => read(broken)).toThrow('checksum');
  });

  it('made by GNU tar is read in each of its formats', () => {
    const name = `${'d'.repeat(90)}/${'e'.repeat(90)}/${'f'.repeat(90)}`;
    for (const format of ['gnu', 'pax', 'v7', 'ustar']) {
      const wanted = format === 'gnu' || format === 'pax' ? name : 'short';
      const script = `mkdir -p "$(dirname "$0")" && echo hi > "$0" && tar --format=${format} -cf - "$0"`;
      const directory = execFileSync('mktemp', ['-d'], { encoding: 'utf8' }).trim();
      try {
        const made = execFileSync('sh', ['-c', script, wanted], { cwd: directory });
        expect(read(made).map((e) => [e.path, e.content])).toEqual([[wanted, 'hi\n']]);
      } finally {
        execFileSync('rm', ['-rf', directory]);
      }
    }
  });
});

describe('a PAX header', () => {
  it('wins over the block: path, link, owners, time, size', () => {
    const pax = { path: 'p/ä', linkpath: 'l', uid: '4294967294', gid: '5', mtime: '12.000000345' };
    expect(one({ path: 'x', flag: '2', link: 'y', pax })).toMatchObject({
      path: Buffer.from('p/ä').toString('latin1'),
      link: 'l',
      uid: 4294967294,
      gid: 5,
      mtime: { seconds: 12, nanoseconds: 345 },
    });
    expect(one({ path: 'x', content: 'abc', size: 0, pax: { size: '3' } })?.content).toBe('abc');
  });

  it('keeps attribute values as bytes, even such as are no UTF-8 or hold a newline', () => {
    const value = Buffer.from([1, 0, 0, 2, 0xff, 0x80, 0x0a, 0x3d, 0xc3]);
    const entry = one({ path: 'x', pax: { 'SCHILY.xattr.security.capability': value } });
    expect(entry?.xattrs).toEqual(new Map([['security.capability', value]]));
  });

  it('is for one entry only; a global one means nothing, as to docker and containerd', () => {
    const entries = tarArchive([
      { path: 'g', flag: 'g', content: paxRecord('uid', '9') },
      { path: 'a', pax: { uid: '3' } },
      { path: 'b' },
    ]);
    expect(read(entries).map((e) => [e.path, e.uid])).toEqual([
      ['a', 3],
      ['b', 0],
    ]);
  });

  it('without a value leaves what the block says', () => {
    const pax = { path: '', size: '', uid: '', mtime: '' };
    const bytes = Buffer.concat(Object.entries(pax).map(([key, value]) => paxRecord(key, value)));
    expect(parsePax(bytes)).toEqual({ xattrs: new Map(), sparse: new Map() });
    expect(one({ path: 'x', uid: 7, pax })).toMatchObject({ path: 'x', uid: 7 });
  });

  it('gives way to a long name of GNU’s, as in Go', () => {
    const archive = tarArchive([
      { path: 'l', flag: 'L', content: 'gnu\0' },
      { path: 'x', pax: { path: 'pax' } },
    ]);
    expect(read(archive)[0]?.path).toBe('gnu');
  });

  it('counts time before 1970 so that nanoseconds stay positive', () => {
    const mtime = parsePax(paxRecord('mtime', '-1.25')).mtime;
    expect(mtime).toEqual({ seconds: -2, nanoseconds: 750_000_000 });
  });

  it.each([
    ['a wrong length', Buffer.from('99 path=x\n')],
    ['no length', Buffer.from(' path=x\n')],
    ['no newline', Buffer.from('9 path=xy')],
    ['no key', Buffer.from('5 =x\n')],
    ['a size that is no number', paxRecord('size', '-1')],
    ['an owner that is no number', paxRecord('uid', '1e3')],
  ])('with %s is refused', (_, bytes) => {
    expect(() => parsePax(bytes)).toThrow(expect.objectContaining({ reason: 'InvalidLayer' }));
  });
});

type Bytes = Buffer | string;

describe('a block', () => {
  const withBytes = (entry: RawTarEntry, ...patches: readonly (readonly [number, Bytes])[]) => {
    const block = tarEntry(entry);
    for (const [at, bytes] of patches) block.set(Buffer.from(bytes as string), at);
    block.fill(' ', 148, 156);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, '0')}\0`, 148, 'latin1');
    return block;
  };
  const binary = (value: bigint, bytes: number) => {
    const wide = BigInt.asUintN(bytes * 8, value) | (1n << BigInt(bytes * 8 - 1));
    return Buffer.from(wide.toString(16), 'hex');
  };
  const mtimeOf = (value: bigint) =>
    read(withBytes({ path: 'x' }, [136, binary(value, 12)]))[0]?.mtime.seconds;

  it('may have numbers in base 256, and less than none', () => {
    expect(mtimeOf(-5n)).toBe(-5);
    expect(mtimeOf(2n ** 40n)).toBe(2 ** 40);
    const [entry] = read(withBytes({ path: 'x' }, [108, binary(2n ** 32n - 2n, 8)]));
    expect(entry?.uid).toBe(2 ** 32 - 2);
  });

  it('of docker’s before 2017 may have a prefix where GNU has times', () => {
    const gnu = [257, 'ustar  \0'] as const;
    const pathOf = (entry: Buffer) => read(entry)[0]?.path;
    expect(pathOf(withBytes({ path: 'f' }, gnu))).toBe('f');
    expect(pathOf(withBytes({ path: 'f' }, gnu, [345, '14000000000\x0014000000000\0']))).toBe('f');
    expect(pathOf(withBytes({ path: 'f' }, gnu, [345, 'usr/share']))).toBe('usr/share/f');
  });

  it.each([
    ['a size below zero', 124, binary(-1n, 12)],
    ['a size that no number holds', 124, binary(2n ** 80n, 12)],
    ['a time that no number holds', 136, binary(-(2n ** 80n), 12)],
    ['an owner below zero', 108, binary(-1n, 8)],
    ['an owner that the kernel has no number for', 108, binary(2n ** 32n - 1n, 8)],
    ['a group that no number holds', 116, binary(2n ** 60n, 8)],
    ['digits that are none', 108, '0000009\0'],
  ])('with %s is refused, and named', (_, at, bytes) => {
    const archive = Buffer.concat([
      tarEntry({ path: 'fine', content: 'x' }),
      withBytes({ path: 'odd' }, [at, bytes]),
    ]);
    const message = expect.stringMatching(/\((after entry 1, "fine"|entry 2, "odd")\)$/);
    expect(() => read(archive)).toThrow(
      expect.objectContaining({ reason: 'InvalidLayer', message }),
    );
  });

  it('of a device out of range is refused', () => {
    const archive = withBytes({ path: 'd', flag: '3' }, [329, binary(2n ** 40n, 8)]);
    expect(() => read(archive)).toThrow('its device 1099511627776 is out of range (entry 1, "d")');
  });
});

it.each([
  ['multi-volume file', { path: 'x', flag: 'M' }],
  ['volume’s name', { path: 'x', flag: 'V' }],
  ['list of GNU’s of what was there', { path: 'x', flag: 'D' }],
  ['owner that the kernel has no number for', { path: 'x', pax: { uid: '4294967295' } }],
])('a %s is refused', (_, entry) => {
  expect(() => one(entry)).toThrow(expect.objectContaining({ reason: 'InvalidLayer' }));
});

it('cut off after any of its blocks but a whole entry is refused, and says where', () => {
  const archive = Buffer.concat([
    tarEntry({ path: 'a', content: 'x'.repeat(600), pax: { uid: '1' } }),
    tarEntry({ path: 'l', flag: 'L', content: 'long name\0' }),
    tarEntry({ path: 'b', content: 'y' }),
  ]);
  const cut = (blocks: number) => {
    try {
      return read(archive.subarray(0, blocks * 512)).length;
    } catch (error) {
      return (error as Error).message.replace('invalid layer: it ends in the middle of an ', '');
    }
  };
  expect(Array.from({ length: 10 }, (_, blocks) => cut(blocks))).toEqual([
    0,
    'entry (at its beginning)',
    'entry (at its beginning)',
    'entry (entry 1, "a")',
    'entry (entry 1, "a")',
    1,
    'entry (after entry 1, "a")',
    'entry (after entry 1, "a")',
    'entry (entry 2, "long name")',
    2,
  ]);
});
