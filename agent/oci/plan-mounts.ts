import { posix } from 'node:path';
import type { Op } from '../kernel/op.ts';
import { mountFlag, shareFlag } from '../kernel/op-fields.ts';
import { hostId, mapText } from './id-maps.ts';
import { type MountOptions, mountFlags, parseMountOptions } from './mount-options.ts';
import { OciError } from './oci-error.ts';
import type { OciPlace } from './oci-place.ts';
import type { OciIdMapping, OciMount, OciSpec } from './oci-spec.ts';

/** Memory that is to be read-only is, when everything that is mounted or made in it is there. */
export function planSeals({ mounts = [] }: OciSpec): readonly Op[] {
  const sealed = mounts.filter((mount) => mount.type === 'tmpfs' && isReadOnly(mount));
  return sealed.map(({ destination }) => {
    return {
      op: 'set-mount',
      path: posix.resolve('/', destination),
      inRoot: true,
      set: mountFlag.ro,
    };
  });
}

export const isReadOnly = ({ options = [] }: OciMount) =>
  (parseMountOptions(options).own.set & mountFlag.ro) !== 0;

/** Everything that is mounted in the root, in the order of the configuration. Throws OciError. */
export const planMounts = (spec: OciSpec, place: OciPlace): readonly Op[] =>
  (spec.mounts ?? []).flatMap((mount, i) =>
    planMount(mount, { spec, place, field: `mounts[${i}]` }),
  );

type MountContext = Readonly<{ spec: OciSpec; place: OciPlace; field: string }>;

function planMount(mount: OciMount, context: MountContext): readonly Op[] {
  const { type = '', destination } = mount;
  const options = parseMountOptions(mount.options ?? []);
  const path = posix.resolve('/', destination);
  const isCgroup = type === 'cgroup' || type === 'cgroup2';
  const isBind = !options.remount && !isCgroup && (options.bind || type === 'bind');
  if (isBind) return [planBind(mount, options, context)];
  if (options.idmap !== 'none' || mapsOf(mount, context.field) !== undefined)
    throw new OciError(context.field, 'unsupported', 'ids are mapped of binds only');
  if (options.remount)
    return [{ op: 'set-mount', path, inRoot: true, set: options.own.set, ...changes(options) }];
  if (isCgroup) return planCgroups(path, options, context);
  return planFileSystem(mount, options, context);
}

function planBind(mount: OciMount, options: MountOptions, context: MountContext): Op {
  const { source = '', below } = mount;
  if (source === '') throw new OciError(`${context.field}.source`, 'invalid', 'Required value');
  return {
    op: 'bind',
    source: below === undefined ? posix.resolve(context.place.bundle, source) : source,
    sourceBelow: below ?? '',
    recursive: options.recursive,
    flags: options.own.set,
    ...changes(privately(options)),
    ...planIdmap(mount, options, context),
    ...targetOf(mount),
  };
}

const targetOf = ({ destination }: OciMount) => ({
  target: posix.resolve('/', destination),
  inRoot: true,
  create: true,
});

const changes = ({ own, below, propagation, recursivePropagation }: MountOptions) => ({
  clear: own.clear,
  recursiveSet: below.set,
  recursiveClear: below.clear,
  propagation,
  recursivePropagation,
});

/** Unless asked for: the clone would else keep that of its source. */
function privately(options: MountOptions): MountOptions {
  const { recursive, propagation, recursivePropagation } = options;
  if (propagation || recursivePropagation) return options;
  const which = recursive ? 'recursivePropagation' : 'propagation';
  return { ...options, [which]: shareFlag.private };
}

/** With maps of its own, or with the container's; adds to what is set of the mount, or of all below. */
function planIdmap(mount: OciMount, options: MountOptions, { spec, field }: MountContext) {
  if (options.idmap === 'none' && mount.uidMappings === undefined) return {};
  const text = mapsOf(mount, field);
  const isOwn = text === undefined || text === mapsOf(spec.linux ?? {}, 'linux');
  if (isOwn && !spec.linux?.uidMappings && !joinsUser(spec))
    throw new OciError(`${field}.options`, 'invalid', 'idmap without mappings');
  return {
    ...(options.idmap === 'all below'
      ? { recursiveSet: options.below.set | MOUNT_ATTR_IDMAP }
      : { idmap: true }),
    ...(isOwn ? {} : { idmapSlot: FIRST_IDMAP_SLOT + mountMaps(spec).indexOf(text) }),
  };
}

const joinsUser = ({ linux }: OciSpec) =>
  linux?.namespaces?.some(({ type, path }) => type === 'user' && path);

const MOUNT_ATTR_IDMAP = 0x100000;

/** Slots 0 to 7 are for the eight kinds of namespaces. */
export const FIRST_IDMAP_SLOT = 8;

/** Distinct maps of mounts that aren't the container's own; each needs a user namespace. */
export function mountMaps(spec: Pick<OciSpec, 'linux' | 'mounts'>): readonly string[] {
  const maps = (spec.mounts ?? []).map((mount, i) => mapsOf(mount, `mounts[${i}]`));
  const own = mapsOf(spec.linux ?? {}, 'linux');
  return [...new Set(maps.filter((text) => text !== undefined && text !== own))] as string[];
}

/** uid_map and gid_map, with a NUL between. */
function mapsOf(of: Maps, field: string): string | undefined {
  if (of.uidMappings === undefined && of.gidMappings === undefined) return undefined;
  if (of.uidMappings === undefined || of.gidMappings === undefined)
    throw new OciError(field, 'invalid', 'uidMappings and gidMappings go together');
  return `${mapText(of.uidMappings)}\0${mapText(of.gidMappings)}`;
}

interface Maps {
  readonly uidMappings?: readonly OciIdMapping[] | undefined;
  readonly gidMappings?: readonly OciIdMapping[] | undefined;
}

function planFileSystem(
  mount: OciMount,
  options: MountOptions,
  context: MountContext,
): readonly Op[] {
  const { type = '', source = type } = mount;
  if (type === '') throw new OciError(`${context.field}.type`, 'invalid', 'Required value');
  const target = targetOf(mount);
  const made: Op = {
    op: 'mount',
    ...target,
    source,
    fstype: type,
    flags: mountFlags(options) & (type === 'tmpfs' ? ~mountFlag.ro : ~0),
    copyUp: options.copyUp,
    data: [...fileSystemData(type, options, context), ...planLabel(type, context)].join(','),
  };
  const { propagation, recursivePropagation } = options;
  if (!propagation && !recursivePropagation) return [made];
  const after = { path: target.target, inRoot: true, propagation, recursivePropagation } as const;
  return [made, { op: 'set-mount', ...after }];
}

/** They are mounted by the host's root: ids in options are turned into the host's, and none given is the container's root. */
function fileSystemData(type: string, { data }: MountOptions, { spec, field }: MountContext) {
  const { uidMappings, gidMappings } = spec.linux ?? {};
  if ((type !== 'tmpfs' && type !== 'devpts') || uidMappings === undefined) return data;
  const has = (name: string) => data.some((option) => option.startsWith(`${name}=`));
  const added = type === 'tmpfs' ? ['uid', 'gid'].filter((name) => !has(name)) : [];
  return [...data, ...added.map((name) => `${name}=0`)].map((option) => {
    const [, name, id] = /^([ug]id)=(\d+)$/.exec(option) ?? [];
    const maps = name === 'uid' ? uidMappings : gidMappings;
    return name ? `${name}=${hostId(maps, Number(id), `${field}.options`)}` : option;
  });
}

/** linux.mountLabel, for file systems that take it. */
function planLabel(type: string, { spec, place }: MountContext): readonly string[] {
  const label = spec.linux?.mountLabel;
  if (label === undefined || label === '' || !labelled.has(type)) return [];
  if (place.modules.includes('selinux')) return [`context="${label}"`];
  throw new OciError('linux.mountLabel', 'missing in this kernel', 'SELinux is not active');
}

const labelled = new Set(['tmpfs', 'mqueue', 'devpts', 'overlay']);

/** The container's own cgroups only, at the places where the host has them. */
function planCgroups(
  target: string,
  options: MountOptions,
  { place }: MountContext,
): readonly Op[] {
  const at = { inRoot: true, create: true } as const;
  const own = place.cgroups.map(({ controller, path }): Op => {
    const flags = options.own.set;
    return { op: 'bind', ...at, source: path, target: posix.join(target, controller), flags };
  });
  if (place.cgroups.some(({ controller }) => controller === '')) return own;
  const flags = mountFlags(options) & ~mountFlag.ro;
  const tree = { source: 'tmpfs', fstype: 'tmpfs', target, flags, data: 'mode=755,size=64k' };
  const set = options.own.set & mountFlag.ro;
  const after: Op = { op: 'set-mount', path: target, inRoot: true, set };
  return [{ op: 'mount', ...at, ...tree }, ...own, after];
}
