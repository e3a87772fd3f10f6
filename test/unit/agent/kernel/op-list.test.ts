import { describe, expect, it } from 'vitest';
import type { Op } from '../../../../agent/kernel/op.ts';
import { encodeList } from '../../../../agent/kernel/op-list.ts';
import { opKind } from '../../../../native/generated/binding.ts';

/** Reads a payload back, by the layout that orc.h gives. */
function decode(bytes: Buffer) {
  const count = bytes.readUInt32LE(0);
  const blob = 8 + 88 * count;
  expect(bytes.length).toBe(blob + bytes.readUInt32LE(4));
  return Array.from({ length: count }, (_, i) => {
    const at = 8 + 88 * i;
    const text = [0, 1, 2, 3].map((t) => {
      const start = blob + bytes.readUInt32LE(at + 56 + 8 * t);
      return bytes.toString('latin1', start, start + bytes.readUInt32LE(at + 60 + 8 * t));
    });
    return {
      kind: bytes.readUInt16LE(at),
      flags: bytes.readUInt16LE(at + 2),
      num: [0, 1, 2, 3, 4].map((n) => bytes.readUInt32LE(at + 4 + 4 * n)),
      wide: [0, 1, 2, 3].map((n) => bytes.readBigUInt64LE(at + 24 + 8 * n)),
      text,
    };
  });
}

const zero = { flags: 0, num: [0, 0, 0, 0, 0], wide: [0n, 0n, 0n, 0n], text: ['', '', '', ''] };

const cases: readonly [Op, object][] = [
  [
    { op: 'mkdir', path: '/a', inRoot: true, mode: 0o755, uid: 1, gid: 2 },
    { kind: opKind.MKDIR, flags: 1, num: [0o755, 1, 2, 0, 0], text: ['/a', '', '', ''] },
  ],
  [
    {
      op: 'mount',
      source: 'proc',
      target: '/proc',
      inRoot: true,
      create: true,
      fstype: 'proc',
      flags: ['nosuid', 'noexec'],
      data: 'a=b',
    },
    { kind: opKind.MOUNT, flags: 3, num: [10, 0, 0, 0, 0], text: ['proc', '/proc', 'proc', 'a=b'] },
  ],
  [
    {
      op: 'bind',
      source: '/v',
      target: '/t',
      inRoot: true,
      sourceBelow: '/volume',
      create: false,
      flags: ['ro'],
      idmap: true,
    },
    { kind: opKind.BIND, flags: 17, num: [1, 0, 0, 0, 0], text: ['/v', '/t', '/volume', ''] },
  ],
  [
    { op: 'rlimit', resource: 7, soft: 1024n, hard: 2n ** 64n - 1n },
    { kind: opKind.SETTING, num: [0, 7, 0, 0, 0], wide: [1024n, 2n ** 64n - 1n, 0n, 0n] },
  ],
  [
    { op: 'read-only', path: '/p' },
    { kind: opKind.BIND, flags: 13, num: [0, 0, 1, 0, 0], text: ['', '/p', '', ''] },
  ],
  [
    { op: 'unshare', namespaces: ['network', 'time'] },
    { kind: opKind.UNSHARE, num: [0x40000080, 0, 0, 0, 0] },
  ],
  [
    { op: 'dial', port: 80 },
    { kind: opKind.DIAL, num: [80, 0, 0, 0, 0] },
  ],
  [
    { op: 'set-ids', uid: 5, gid: 6, groups: [1, 256] },
    {
      kind: opKind.SET_IDS,
      num: [5, 6, 0, 0, 0],
      text: ['\x01\0\0\0\0\x01\0\0', '', '', ''],
    },
  ],
  [
    { op: 'exec', argv: ['sh', '', 'ü'], env: ['PATH=/a::/b'] },
    {
      kind: opKind.EXEC,
      num: [3, 1, 2, 0, 0],
      text: ['sh\0\0\xc3\xbc', 'PATH=/a::/b', '/a/sh\0/b/sh', ''],
    },
  ],
  [
    { op: 'exec', argv: ['a/sh'], env: [] },
    { kind: opKind.EXEC, num: [1, 0, 1, 0, 0], text: ['a/sh', '', 'a/sh', ''] },
  ],
  [
    { op: 'exec', file: '/bin/sh', argv: ['-sh'], env: ['PATH=/a'] },
    { kind: opKind.EXEC, num: [1, 1, 1, 0, 0], text: ['-sh', 'PATH=/a', '/bin/sh', ''] },
  ],
  [
    { op: 'spawn', argv: ['/a', 'b'], env: [], timeoutMs: 500 },
    { kind: opKind.SPAWN, num: [2, 0, 500, 0, 0], text: ['/a\0b', '', '', ''] },
  ],
];

describe('encodeList', () => {
  for (const [op, record] of cases) {
    it(`lays out ${op.op} as one record`, () => {
      const [args, encoded] = decode(encodeList({}, [op]));
      expect(args).toEqual({ ...zero, kind: opKind.ARGUMENTS });
      expect(encoded).toEqual({ ...zero, ...record });
    });
  }

  it('keeps arguments and operations in order', () => {
    const ops: Op[] = [{ op: 'pivot-root' }, { op: 'umask', mask: 0o22 }];
    const kinds = decode(encodeList({ num: [7], text: ['name'] }, ops)).map((r) => r.kind);
    expect(kinds).toEqual([opKind.ARGUMENTS, opKind.PIVOT_ROOT, opKind.UMASK]);
  });

  it('refuses a NUL inside a string', () => {
    expect(() => encodeList({}, [{ op: 'mask', path: '/a\0b' }])).toThrow(RangeError);
  });

  it('refuses a number that does not fit', () => {
    const op: Op = { op: 'set-ids', uid: 2 ** 32, gid: 0, groups: [] };
    expect(() => encodeList({}, [op])).toThrow(RangeError);
  });
});
