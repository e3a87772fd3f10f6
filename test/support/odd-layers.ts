import type { Rng } from '../../base/rng.ts';
import { type RawTarEntry, tarArchive } from './tar-archive.ts';

/**
 * Layers that are odd, but that every engine unpacks: each has an entry for each of its directories, and none that its own
 * whiteouts would hide.
 */
export const oddLayers = (): readonly Buffer[] =>
  [base(), whiteouts(), replacements()].map(tarArchive);

const dir = (path: string, more: Partial<RawTarEntry> = {}): RawTarEntry => ({
  ...{ path: `${path}/`, flag: '5', mode: 0o755, mtime: 1_600_000_000 },
  ...more,
});
const file = (path: string, more: Partial<RawTarEntry> = {}): RawTarEntry => ({
  ...{ path, content: `content of ${path}`, mtime: 1_600_000_001 },
  ...more,
});
const link = (path: string, to: string): RawTarEntry => ({ path, flag: '2', link: to, mtime: 7 });
const hardLink = (path: string, to: string): RawTarEntry => ({
  ...{ path, flag: '1', link: to, mtime: 1_600_000_001 },
});

const gone = (path: string): RawTarEntry => ({ path, mode: 0o600, content: '' });

const root = dir('.', { mode: 0o755 });
const capability = Buffer.from('0100000200042000800000000000000000000000', 'hex');
const accessList = Buffer.from(
  '0200000001000600ffffffff020007009210000004000400ffffffff10000700ffffffff20000000ffffffff',
  'hex',
);

function base(): readonly RawTarEntry[] {
  const long = 'n'.repeat(255);
  const deep = Array.from({ length: 200 }, (_, i) => `deep${'/directory'.repeat(i)}`);
  return [
    root,
    ...[dir('names'), dir('kinds'), dir('owners'), dir('times'), dir('links'), dir('links/other')],
    file('names/two\nlines'),
    file('names/caf\xe9 \xff\xfe'),
    file('names/ leading, "quoted" \\ and $HOME'),
    file('names/-rf'),
    file('x', { pax: { path: `names/${long}` } }),
    ...deep.map((path) => dir('x', { pax: { path } })),
    file('kinds/ping', { mode: 0o755, pax: { 'SCHILY.xattr.security.capability': capability } }),
    file('kinds/noted', { pax: { 'SCHILY.xattr.user.note': Buffer.from([0, 0xff, 0x0a]) } }),
    file('kinds/listed', {
      mode: 0o670,
      pax: { 'SCHILY.xattr.system.posix_acl_access': accessList },
    }),
    dir('kinds/listed-dir', { pax: { 'SCHILY.xattr.system.posix_acl_default': accessList } }),
    file('kinds/bsd', {
      pax: { 'LIBARCHIVE.xattr.user.note': 'eA==', 'SCHILY.acl.access': 'user::rw-' },
    }),
    file('kinds/set-id', { mode: 0o6755, uid: 33, gid: 44 }),
    dir('kinds/sticky', { mode: 0o1777 }),
    dir('kinds/set-gid', { mode: 0o2750, gid: 44 }),
    file('kinds/nothing', { mode: 0, content: '' }),
    { path: 'kinds/fifo', flag: '6', mode: 0o600, mtime: 5 },
    { path: 'kinds/null', flag: '3', mode: 0o666, major: 1, minor: 3, mtime: 5 },
    { path: 'kinds/disk', flag: '4', mode: 0o660, major: 259, minor: 1000, gid: 6, mtime: 5 },
    ...['0', '1', '65534', '100000', '2147483647', '4294967294'].map((id) =>
      file(`owners/${id}`, { pax: { uid: id, gid: id } }),
    ),
    dir('owners/dir', { uid: 1000, gid: 1001 }),
    { ...link('owners/link', 'nowhere'), uid: 1000, gid: 1001 },
    ...['0', '1.000000001', '1700000000.999999999', '2147483648.5', '4294967296'].map((mtime) =>
      file(`times/${mtime}`, { pax: { mtime } }),
    ),
    ...[file('links/a'), hardLink('links/b', 'links/a'), hardLink('links/other/c', './links/b')],
    ...[link('links/l', '/links/../links/a'), hardLink('links/hard-l', 'links/l')],
    link('links/long', `${'t/'.repeat(45)}t`),
    ...[dir('gone'), file('gone/a'), dir('gone/b'), file('gone/b/c'), file('gone-file')],
    ...[dir('emptied'), file('emptied/a'), dir('emptied/b'), file('emptied/b/c')],
    ...[dir('made-anew'), file('made-anew/old'), dir('made-anew/both'), file('made-anew/both/old')],
    ...[dir('changes'), file('changes/to-dir'), dir('changes/to-file'), file('changes/to-file/x')],
    ...[link('changes/to-real', 'to-file'), file('changes/to-link'), file('changes/in-place')],
    ...[dir('parent', { mode: 0o700, uid: 5 }), file('parent/a'), file('parent/b')],
  ];
}

/** Over everything, and over what isn't there. */
function whiteouts(): readonly RawTarEntry[] {
  return [
    root,
    ...[gone('.wh.gone'), gone('.wh.gone-file'), gone('.wh.never-was')],
    ...[dir('names'), gone('names/.wh.two\nlines'), gone('names/.wh.caf\xe9 \xff\xfe')],
    ...[dir('kinds'), gone('kinds/.wh.fifo'), gone('kinds/.wh.null'), gone('kinds/.wh.sticky')],
    ...[dir('links'), gone('links/.wh.a'), gone('links/.wh.l')],
    ...[dir('emptied', { mode: 0o711 }), gone('emptied/.wh..wh..opq')],
    ...[dir('made-anew'), gone('made-anew/.wh..wh..opq'), file('made-anew/new')],
    ...[dir('made-anew/both'), file('made-anew/both/new')],
    ...[dir('parent', { mode: 0o750, uid: 6, mtime: 99 }), gone('parent/.wh.a')],
  ];
}

/** Whiteouts where no layer below has the directory, and in an opaque one. */
export const ghostLayers = (): readonly (readonly RawTarEntry[])[] => [
  [root, dir('a'), file('a/x'), dir('opaque'), file('opaque/x')],
  [
    root,
    ...[dir('unheard-of'), gone('unheard-of/.wh.x'), dir('a'), gone('a/.wh.x'), gone('a/.wh.y')],
    ...[dir('opaque'), gone('opaque/.wh..wh..opq'), gone('opaque/.wh.x'), file('opaque/y')],
  ],
];

/** What was hidden comes back, what was a file is a directory, and so on. */
function replacements(): readonly RawTarEntry[] {
  return [
    root,
    ...[dir('gone', { mode: 0o700 }), file('gone/again'), file('gone-file', { mode: 0o400 })],
    ...[dir('emptied', { mode: 0o711 }), dir('emptied/b'), file('emptied/b/again')],
    ...[dir('changes'), dir('changes/to-dir'), file('changes/to-dir/x'), file('changes/to-file')],
    ...[dir('changes/to-real'), file('changes/to-real/x'), link('changes/to-link', 'in-place')],
    file('changes/in-place', { mode: 0o4711, uid: 3, content: 'changed' }),
  ];
}

/** Each on top of the others: adds, changes and hides some of what there is. */
export function manyLayers(rng: Rng, count: number): readonly Buffer[] {
  const below = (limit: number) => Math.floor(rng.fraction() * limit);
  const shape = (i: number): RawTarEntry =>
    [file('shape', { content: `${i}` }), dir('shape'), link('shape', `target-${i}`)][i % 3]!;
  return Array.from({ length: count }, (_, i) => {
    const own = `d${below(9)}`;
    const hidden = `d${below(9)}`;
    const entries = [
      root,
      shape(i),
      dir('shared', { mode: 0o700 + below(0o77), uid: below(5), mtime: i }),
      file(`shared/${i}`, { mode: 0o600 + below(0o77) }),
      ...(i % 5 === 4 ? [{ path: `shared/.wh.${i - 4}`, content: '' }] : []),
      ...(hidden === own ? [] : [{ path: `.wh.${hidden}`, content: '' }]),
      dir(own, { mtime: i }),
      ...(i % 7 === 6 ? [{ path: `${own}/.wh..wh..opq`, content: '' }] : []),
      ...[file(`${own}/${i}`), hardLink(`${own}/also-${i}`, `${own}/${i}`)],
      ...[dir(`${own}/sub`), file(`${own}/sub/${i % 4}`, { content: `${i}` })],
    ];
    return tarArchive(entries);
  });
}
