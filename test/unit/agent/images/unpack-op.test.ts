import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  decodeUnpackFailure,
  encodeUnpackOp,
  unpackKinds,
} from '../../../../agent/images/unpack-op.ts';

const source = readFileSync(new URL('../../../../native/unpack.c', import.meta.url), 'utf8');

describe('the layout that the writer reads', () => {
  it('has the same kinds of operation', () => {
    const inC = [...source.matchAll(/UNPACK_([A-Z_]+) = (\d+)/g)].map(([, name, value]) => [
      name?.toLowerCase().replaceAll('_', '-'),
      Number(value),
    ]);
    expect(Object.fromEntries(inC)).toEqual(unpackKinds);
  });

  it('has its fields in their places, then path, link, attributes, ranges', () => {
    const op = encodeUnpackOp({
      kind: 'file',
      path: 'p\xe4',
      link: 'l',
      mode: 1,
      uid: 2,
      gid: 3,
      size: 2 ** 40,
      ranges: [{ offset: 2 ** 33, bytes: 3 }],
      mtime: { seconds: -2, nanoseconds: 5 },
      major: 6,
      minor: 7,
      xattrs: new Map([['user.a', Buffer.from([0xff, 0])]]),
    });
    const numbers = Array.from({ length: 16 }, (_, i) => op.readInt32LE(i * 4));
    expect(numbers).toEqual([2, 1, 2, 3, 0, 256, -2, -1, 5, 6, 7, 17, 2, 1, 2, 0]);
    const xattr = Buffer.concat([Buffer.from([7, 0, 0, 0, 2, 0, 0, 0]), Buffer.from('user.a\0')]);
    const ranges = Buffer.from(BigUint64Array.of(2n ** 33n, 3n, 2n ** 40n, 0n).buffer);
    expect(op.subarray(64)).toEqual(
      Buffer.concat([Buffer.from('p\xe4l', 'latin1'), xattr, Buffer.from([0xff, 0]), ranges]),
    );
  });

  it('has failures of one size; anything else is none', () => {
    const failure = Buffer.alloc(256);
    failure.writeUInt32LE(3, 0);
    failure.writeInt32LE(20, 4);
    failure.write('mkdir', 8);
    failure.write('a/b', 32);
    expect(decodeUnpackFailure(failure)).toEqual({
      index: 3,
      errno: 20,
      stage: 'mkdir',
      path: 'a/b',
    });
    expect(decodeUnpackFailure(failure.subarray(1))).toBeUndefined();
  });
});
