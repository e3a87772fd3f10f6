import { shareFlag } from '../kernel/op-fields.ts';

/** A mount's options, sorted by who takes them. */
export type MountOptions = ReturnType<typeof parseMountOptions>;

type Attributes = Readonly<{ set: number; clear: number }>;

/** The names of mount(8) and of the specification; an "r" before one: recursively. A later one overrides an earlier one. */
export function parseMountOptions(options: readonly string[]) {
  const known = options.filter(isKnown);
  const propagation = (names: readonly string[]) =>
    names.reduce((last, name) => propagations[name] ?? last, 0n);
  return {
    bind: known.includes('bind') || known.includes('rbind'),
    /** With everything that is mounted below the source. */
    recursive: known.includes('rbind'),
    remount: known.includes('remount'),
    copyUp: known.includes('tmpcopyup'),
    idmap: idmapOf(known),
    /** MS_… of the file system itself. */
    superblock: known.reduce((bits, name) => bits | (superblocks[name] ?? 0), 0),
    /** MOUNT_ATTR_… of the mount, and of all below it. */
    own: known.reduce((sum, name) => apply(sum, attributes[name]), nothing),
    below: known.reduce((sum, name) => apply(sum, below(name)), nothing),
    /** MS_SHARED … of the mount, and of all below it; 0n: as it is. */
    propagation: propagation(known),
    recursivePropagation: propagation(known.map(recursive)),
    /** The file system's own, in the order given. */
    data: options.filter((name) => !isKnown(name)),
  };
}

const idmapOf = (known: readonly string[]): 'none' | 'own' | 'all below' =>
  known.includes('ridmap') ? 'all below' : known.includes('idmap') ? 'own' : 'none';

/** The same attributes as mount(2) wants them, for a new file system. */
export function mountFlags({ superblock, own }: MountOptions): number {
  const others = [
    [0x10, 1024],
    [0x20, 1 << 24],
    [0x80, 2048],
    [0x200000, 256],
  ] as const;
  const alike = own.set & 0xf;
  return others.reduce(
    (bits, [mine, old]) => bits | (own.set & mine ? old : 0),
    alike | superblock,
  );
}

const propagations: Readonly<Record<string, bigint>> = shareFlag;

const nothing: Attributes = { set: 0, clear: 0 };

const apply = (
  before: Attributes,
  [set, clear]: readonly [number, number] = [0, 0],
): Attributes => ({
  set: (before.set & ~clear) | set,
  clear: before.clear | clear,
});

const recursive = (name: string) => (name.startsWith('r') ? name.slice(1) : '');
const below = (name: string) => (name in attributes ? undefined : attributes[recursive(name)]);

function isKnown(name: string): boolean {
  const tables = [attributes, superblocks, propagations];
  return (
    others.includes(name) ||
    tables.some((table) => Object.hasOwn(table, name)) ||
    Object.hasOwn(attributes, recursive(name)) ||
    Object.hasOwn(propagations, recursive(name))
  );
}

/** For what a runtime says of itself. */
export const knownMountOptions = (): readonly string[] =>
  [others, ...[superblocks, attributes, propagations].map(Object.keys)]
    .flat()
    .concat([attributes, propagations].flatMap(Object.keys).map((name) => `r${name}`))
    .toSorted();

const others = ['bind', 'rbind', 'remount', 'tmpcopyup', 'idmap', 'ridmap'];

/** All of the access time settings are one choice: mount_setattr(2). */
const ATIME = 0x70;

type Bits = readonly [set: number, clear: number];

const attributes: Readonly<Record<string, Bits>> = Object.fromEntries([
  ...(
    [
      ['ro', 'rw', 1],
      ['nosuid', 'suid', 2],
      ['nodev', 'dev', 4],
      ['noexec', 'exec', 8],
      ['nodiratime', 'diratime', 0x80],
      ['nosymfollow', 'symfollow', 0x200000],
    ] as const
  ).flatMap(([on, off, bit]): [string, Bits][] => [
    [on, [bit, 0]],
    [off, [0, bit]],
  ]),
  ...['relatime', 'atime', 'nostrictatime', 'norelatime'].map((name) => [name, [0, ATIME]]),
  ['noatime', [0x10, ATIME]],
  ['strictatime', [0x20, ATIME]],
]);

const superblocks: Readonly<Record<string, number>> = {
  ...{ sync: 16, mand: 64, dirsync: 128, silent: 32768, iversion: 1 << 23, lazytime: 1 << 25 },
  ...{ async: 0, nomand: 0, loud: 0, noiversion: 0, nolazytime: 0, defaults: 0 },
};
