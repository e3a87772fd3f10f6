import { describe, expect, it } from 'vitest';
import {
  checkLimits,
  type LayerLimits,
  planLayerEntry,
} from '../../../../agent/images/layer-plan.ts';
import type { TarEntry } from '../../../../agent/images/tar-header.ts';

const entry = (more: Partial<TarEntry>): TarEntry => ({
  type: 'file',
  path: 'x',
  link: '',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
  major: 0,
  minor: 0,
  xattrs: new Map(),
  ...more,
});

describe('an entry of a layer', () => {
  it.each([
    ['./etc/motd', 'file etc/motd'],
    ['/etc//motd', 'file etc/motd'],
    ['./', 'file '],
    ['a/.wh.b', 'whiteout a/b'],
    ['.wh.b', 'whiteout b'],
    ['a/.wh..wh..opq', 'opaque a'],
    ['.wh..wh..opq', 'opaque '],
    ['.wh..wh.plnk', 'nothing'],
  ])('%s means: %s', (path, meaning) => {
    const op = planLayerEntry(entry({ path }));
    expect(op === undefined ? 'nothing' : `${op.kind} ${op.path}`).toBe(meaning);
  });

  it.each([
    { path: '../x' },
    { path: 'a/../../x' },
    { path: 'a/..' },
    { path: 'a\0b' },
    { path: 'n'.repeat(256) },
    { path: 'd/'.repeat(2100) },
    { path: '.wh.' },
    { path: 'a/.wh..' },
    { path: 'a/.wh...' },
    { type: 'hard-link', link: '../x' } as const,
    { type: 'symlink', link: '' } as const,
    { type: 'symlink', link: 'x'.repeat(4096) } as const,
  ])('%j is refused', (more) => {
    expect(() => planLayerEntry(entry(more))).toThrow(
      expect.objectContaining({ reason: 'InvalidLayer' }),
    );
  });

  it('loses the attributes that are overlayfs’s or the host’s', () => {
    const names = [
      'trusted.overlay.opaque',
      'trusted.other',
      'security.selinux',
      'security.capability',
      'user.note',
      'system.nfs4_acl',
      'system.posix_acl_access',
    ];
    const xattrs = new Map(names.map((name) => [name, Buffer.from('y')]));
    const kept = (type: TarEntry['type']) => [
      ...(planLayerEntry(entry({ type, link: 'l', xattrs }))?.xattrs.keys() ?? []),
    ];
    expect(kept('file')).toEqual(['security.capability', 'user.note', 'system.posix_acl_access']);
    expect(kept('symlink')).toEqual(['security.capability']);
  });
});

describe('limits of a layer', () => {
  const limits: LayerLimits = {
    maxEntries: 10,
    maxUnpackedBytes: 1000,
    maxDirectoryBytes: 50,
    maxRatio: 5,
    ratioFromBytes: 100,
  };
  const fine = {
    entries: 10,
    unpackedBytes: 100,
    holeBytes: 900,
    directoryBytes: 50,
    compressedBytes: 1,
  };
  it.each([
    ['are not reached', fine, undefined],
    ['stop too many entries', { ...fine, entries: 11 }, '10 entries'],
    ['stop too many bytes', { ...fine, unpackedBytes: 1001, holeBytes: 0 }, '1000 bytes'],
    ['count holes as bytes', { ...fine, holeBytes: 901 }, '1000 bytes'],
    ['stop too many directories', { ...fine, directoryBytes: 51 }, '50 bytes of paths'],
    ['stop a bomb', { ...fine, unpackedBytes: 501, holeBytes: 0, compressedBytes: 10 }, '50 times'],
    [
      'let ordinary compression pass',
      { ...fine, unpackedBytes: 500, holeBytes: 0, compressedBytes: 100 },
      undefined,
    ],
  ])('%s', (_, seen, message) => {
    if (message === undefined) expect(() => checkLimits(limits, seen)).not.toThrow();
    else expect(() => checkLimits(limits, seen)).toThrow(message);
  });
});
