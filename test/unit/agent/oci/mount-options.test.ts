import { describe, expect, it } from 'vitest';
import { mountFlags, parseMountOptions } from '../../../../agent/oci/mount-options.ts';

describe('mount options', () => {
  const rows: readonly [string, object][] = [
    ['', { bind: false, recursive: false, idmap: 'none', data: [] }],
    ['ro,nosuid,nodev,noexec', { own: { set: 15, clear: 15 & 0 } }],
    ['ro,rw', { own: { set: 0, clear: 1 } }],
    ['rw,ro', { own: { set: 1, clear: 1 } }],
    ['dev,suid,exec,symfollow', { own: { set: 0, clear: 0x20000e } }],
    ['rbind,rro,rnosuid', { bind: true, recursive: true, below: { set: 3, clear: 0 } }],
    ['relatime', { own: { set: 0, clear: 0x70 } }],
    ['rrelatime', { own: { set: 0, clear: 0 }, below: { set: 0, clear: 0x70 } }],
    ['strictatime,noatime', { own: { set: 0x10, clear: 0x70 } }],
    ['shared,rslave', { propagation: 1n << 20n, recursivePropagation: 1n << 19n }],
    ['rprivate', { propagation: 0n, recursivePropagation: 1n << 18n }],
    ['ridmap', { idmap: 'all below' }],
    ['tmpcopyup,size=64k,mode=755', { copyUp: true, data: ['size=64k', 'mode=755'] }],
    ['constructor,rtoString', { data: ['constructor', 'rtoString'] }],
  ];
  it.each(rows)('%s', (text, expected) => {
    expect(parseMountOptions(text.split(',').filter(Boolean))).toMatchObject(expected);
  });

  it('are other bits for a new file system', () => {
    const flags = (...options: string[]) => mountFlags(parseMountOptions(options));
    expect(flags('ro', 'nodev')).toBe(5);
    expect(flags('strictatime', 'nodiratime', 'sync')).toBe((1 << 24) | 2048 | 16);
    expect(flags('noatime', 'nosymfollow', 'relatime')).toBe(256);
  });
});
