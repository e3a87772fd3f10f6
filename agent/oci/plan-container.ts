import { posix } from 'node:path';
import { spaceDescriptor } from '../kernel/namespace-path.ts';
import { type Netlink, recordNetlink } from '../kernel/netlink.ts';
import type { Op } from '../kernel/op.ts';
import { shareFlag } from '../kernel/op-fields.ts';
import { ensureAddress, moveLink, setLinkUp } from '../kernel/rtnetlink.ts';
import { hostId } from './id-maps.ts';
import { parseMountOptions } from './mount-options.ts';
import { OciError } from './oci-error.ts';
import type { OciPlace } from './oci-place.ts';
import type { OciLinux, OciNamespaceType, OciProcess, OciSpec } from './oci-spec.ts';
import { planDevices } from './plan-devices.ts';
import { planMounts, planSeals } from './plan-mounts.ts';
import {
  planIdentity,
  planMemoryPolicy,
  planProcFiles,
  planSession,
  planSettings,
  processorMask,
} from './plan-process.ts';
import { joinShared, joins, openSpaces, shared, spaceOf } from './plan-spaces.ts';

/**
 * Everything between clone and execve of a container's first process, after planSpaces. The process starts as real
 * root in the namespaces of `bornIn`, and its mount namespace belongs to the host's user namespace, so that nothing
 * inside can undo what is set up here. The order is the safety argument:
 *
 *  1. cgroup first: whatever follows is charged to the container and dies with it; the cgroup namespace after that,
 *     as it takes the present position for its root.
 *  2. The network, ipc and other namespaces before the mounts: sysfs and mqueue show the namespaces of their mounter,
 *     procfs the pid namespace, and sysctls go to those that were joined. Paths of namespaces are opened while the
 *     host's paths are there.
 *  3. What is written to procfs is written to the host's, as long as nothing of the container is mounted.
 *  4. The root, then mounts in it from the outside in, all targets resolved below it. Nothing of the image runs yet.
 *  5. Masks after all mounts, as mounts would cover them; the root turns read-only when every mount point is made.
 *  6. pivot-root: from here on the host's files are out of reach, and descriptors of them are close-on-exec.
 *  7. Limits and priorities while there is power over the host; the user namespace after that: joining it gives up all
 *     power over what was set up before.
 *  8. Rights, see `planIdentity`; the working directory as the user who will be in it; exec.
 *
 * A hook's place is a `sync`: createRuntime and createContainer before 6, startContainer before 8, and before that the wait
 * between creation and start. Throws OciError.
 */
export function planContainer(spec: OciSpec, place: OciPlace): readonly Op[] {
  const { process, linux = {}, root, hooks } = spec;
  if (!process) throw new OciError('process', 'invalid', 'Required value');
  if (spaceOf(linux, 'mount')?.path !== '')
    throw new OciError('linux.namespaces', 'unsupported', 'a mount namespace that is not new');
  const { move, settle } = planNetDevices(linux, place);
  return [
    ...(place.gate === undefined ? [] : [{ op: 'gate', path: place.gate } as const]),
    ...place.attach.map(attachTo),
    planPropagation(spec, place),
    ...openSpaces(linux, [...shared, 'user', 'pid', 'cgroup', 'time']),
    ...move,
    ...joins(linux, shared),
    ...settle,
    ...planNames(spec),
    ...planOwnSpaces(linux),
    ...planSysctls(linux),
    ...planProcFiles(process, place),
    ...planRoot(spec, place),
    ...planMounts(spec, place),
    ...planDevices(spec, place),
    ...planSeals(spec),
    makeWorkingDirectory(process, linux),
    ...[...new Set(linux.maskedPaths)].map((path): Op => ({ op: 'mask', path })),
    ...(linux.readonlyPaths ?? []).map((path): Op => ({ op: 'read-only', path })),
    ...(root?.readonly ? [{ op: 'read-only-root' } as const] : []),
    ...(hooks?.prestart || hooks?.createRuntime || hooks?.createContainer ? [sync] : []),
    { op: 'pivot-root' },
    ...planRootPropagation(linux),
    { op: 'new-keyring' },
    ...planSession(process.terminal, true),
    ...planSettings(process),
    ...planPersonality(linux),
    ...planMemoryPolicy(linux),
    ...joins(linux, ['user']),
    ...(place.gate === undefined ? [] : planGate(process)),
    ...(hooks?.startContainer ? [sync] : []),
    ...planIdentity(process, place),
  ];
}

/**
 * The same by a user who is not root. His power is that of the container's own user namespace, which is therefore joined
 * first, and gives him the others; ids are those of the container from then on, and the process begins in no new namespace.
 */
export function planRootless(spec: OciSpec, place: OciPlace): readonly Op[] {
  const inner = withinUserNamespace(spec);
  const { pid, mount } = { pid: spaceOf(inner, 'pid'), mount: spaceOf(inner, 'mount') };
  const fresh = (['mount', 'pid'] as const).filter((type) => ({ mount, pid })[type]?.path === '');
  return [
    ...openSpaces(spec.linux ?? {}, ['user']),
    { op: 'join', namespace: 'user' },
    { op: 'unshare', namespaces: fresh },
    ...(fresh.includes('pid') ? [fork] : []),
    ...planContainer({ ...spec, linux: inner }, place),
  ];
}

/** What of linux counts for a process that is in the user namespace already. */
export function withinUserNamespace({ linux = {} }: Pick<OciSpec, 'linux'>): OciLinux {
  const { uidMappings: _, gidMappings: __, namespaces = [], ...rest } = linux;
  return { ...rest, namespaces: namespaces.filter(({ type }) => type !== 'user') };
}

const planGate = ({ args: argv, env = [], cwd }: OciProcess): readonly Op[] => [
  { op: 'chdir', path: cwd },
  { op: 'find', argv, env },
  { op: 'await' },
];

const sync: Op = { op: 'sync' };

/**
 * A process beside the first one: same cgroup, namespaces, rights as `process` says. The root is opened again inside,
 * so that the working directory is resolved without magic links (CVE-2024-21626).
 */
export function planExec(
  process: OciProcess,
  of: { readonly container: string; readonly linux: OciLinux; readonly place: OciPlace },
): readonly Op[] {
  const { container, linux, place } = of;
  const inside = (['mount', 'pid', 'cgroup', 'time'] as const).filter((type) =>
    spaceOf(linux, type),
  );
  return [
    ...planAffinity(process, 'initial'),
    ...place.attach.map(attachTo),
    ...planAffinity(process, 'final'),
    ...planProcFiles(process, place),
    ...joinShared(linux),
    { op: 'enter-container', container, namespaces: inside },
    { op: 'set-root', path: '/' },
    { op: 'new-keyring' },
    ...planSession(process.terminal),
    ...planSettings(process),
    ...planPersonality(linux),
    ...joins(linux, ['user']),
    ...planIdentity(process, place),
  ];
}

/** "0" is the process that writes. */
const attachTo = (path: string): Op => ({ op: 'write', path, bytes: Buffer.from('0') });

/**
 * As runc and crun: the host's mounts are followed, not led, unless rootfsPropagation says more; without any need, not
 * even followed. What the root lies on is never shared, as the root would be seen outside.
 */
function planPropagation({ mounts = [], linux = {} }: OciSpec, { rootMount = '/' }: OciPlace): Op {
  const wanted = mounts.map((mount) => parseMountOptions(mount.options ?? []));
  const open = wanted.some((mount) => mount.propagation | mount.recursivePropagation);
  if (!open && linux.rootfsPropagation === undefined) return { op: 'make-private' };
  return rootPropagation(linux) === shareFlag.shared
    ? { op: 'set-mount', path: rootMount, propagation: shareFlag.private }
    : { op: 'set-mount', path: '/', recursivePropagation: shareFlag.slave };
}

/** Only when the host's root is gone: pivot_root(2) refuses a root that is shared. */
function planRootPropagation(linux: OciLinux): readonly Op[] {
  const propagation = rootPropagation(linux);
  return propagation === 0n ? [] : [{ op: 'set-mount', path: '/', propagation }];
}

function rootPropagation({ rootfsPropagation = '' }: OciLinux): bigint {
  const { propagation, recursivePropagation } = parseMountOptions([rootfsPropagation]);
  return propagation | recursivePropagation;
}

function planNames({ hostname = '', domainname = '', linux = {} }: OciSpec): readonly Op[] {
  if (hostname === '' && domainname === '') return [];
  const field = hostname === '' ? 'domainname' : 'hostname';
  if (!spaceOf(linux, 'uts'))
    throw new OciError(field, 'invalid', 'needs a uts namespace, else it were the host’s');
  return [{ op: 'names', hostname, domainname }];
}

/** Those that begin with the process itself. */
function planOwnSpaces(linux: OciLinux): readonly Op[] {
  const pid: readonly Op[] = spaceOf(linux, 'pid')?.path ? [...joins(linux, ['pid']), fork] : [];
  const cgroup: readonly Op[] =
    spaceOf(linux, 'cgroup')?.path === ''
      ? [{ op: 'unshare', namespaces: ['cgroup'] }]
      : joins(linux, ['cgroup']);
  return [...pid, ...cgroup, ...planTime(linux)];
}

const fork: Op = { op: 'fork' };

/** Offsets can be written until somebody is in it: time_namespaces(7). */
function planTime(linux: OciLinux): readonly Op[] {
  const { timeOffsets = {} } = linux;
  const time = spaceOf(linux, 'time');
  if (time?.path !== '' && Object.keys(timeOffsets).length > 0)
    throw new OciError('linux.timeOffsets', 'invalid', 'needs a new time namespace');
  if (time?.path !== '') return joins(linux, ['time']);
  const offsets = Object.entries(timeOffsets).map(
    ([clock, { secs = 0, nanosecs = 0 }]) => `${clock} ${secs} ${nanosecs}\n`,
  );
  return [
    { op: 'unshare', namespaces: ['time'] },
    ...offsets.map(
      (line): Op => ({
        ...{ op: 'write', path: 'self/timens_offsets', proc: true },
        bytes: Buffer.from(line),
      }),
    ),
    { op: 'open-space', namespace: 'time', path: '/proc/self/ns/time_for_children' },
    { op: 'join', namespace: 'time' },
  ];
}

/** A directory as root is bound to itself, as pivot_root(2) wants a mount. */
function planRoot({ root }: OciSpec, place: OciPlace): readonly Op[] {
  if (place.root !== undefined) return place.root;
  if (!root) throw new OciError('root', 'invalid', 'Required value');
  const path = posix.resolve(place.bundle, root.path);
  return [
    { op: 'bind', source: path, target: path, recursive: true, flags: 0 },
    { op: 'set-root', path },
  ];
}

function makeWorkingDirectory({ cwd }: OciProcess, linux: OciLinux): Op {
  if (!cwd.startsWith('/')) throw new OciError('process.cwd', 'invalid', 'must be absolute');
  const uid = hostId(linux.uidMappings, 0, 'linux.uidMappings');
  const gid = hostId(linux.gidMappings, 0, 'linux.gidMappings');
  return { op: 'mkdir', path: cwd, inRoot: true, mode: 0o755, uid, gid };
}

function planPersonality({ personality }: OciLinux): readonly Op[] {
  const personas = { LINUX: 0, LINUX32: 8 } as const;
  return personality ? [{ op: 'personality', persona: personas[personality.domain] }] : [];
}

function planAffinity({ execCPUAffinity }: OciProcess, when: 'initial' | 'final'): readonly Op[] {
  const processors = execCPUAffinity?.[when];
  if (!processors) return [];
  return [{ op: 'affinity', mask: processorMask(processors, `process.execCPUAffinity.${when}`) }];
}

/** Only those that a namespace of the container's own has for itself; every other one would be the host's. */
const planSysctls = (linux: OciLinux): readonly Op[] =>
  Object.entries(linux.sysctl ?? {}).map(([name, value]) => {
    const field = `linux.sysctl[${name}]`;
    const steps = stepsOf(name);
    if (steps.some((step) => !/^[A-Za-z0-9_.-]+$/.test(step) || /^\.+$/.test(step)))
      throw new OciError(field, 'invalid', 'no name of a sysctl');
    const path = steps.join('/');
    const owner = owners.find(([names]) => names.test(path))?.[1];
    if (owner === undefined || !spaceOf(linux, owner))
      throw new OciError(field, 'invalid', 'not in a namespace of the container');
    return { op: 'write', path: `sys/${path}`, proc: true, bytes: Buffer.from(value) };
  });

/** "net.ipv4.conf.eth0/1.x" or "net/ipv4/conf/eth0.1/x": sysctl(8). */
function stepsOf(name: string): readonly string[] {
  const [first] = /[./]/.exec(name) ?? [];
  return first === '/' ? name.split('/') : name.split('.').map((step) => step.replaceAll('/', '.'));
}

const owners: readonly (readonly [RegExp, OciNamespaceType])[] = [
  [/^net\//, 'network'],
  [/^kernel\/(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)$/, 'ipc'],
  [/^fs\/mqueue\//, 'ipc'],
  [/^kernel\/domainname$/, 'uts'],
];

/** Devices of the host that move into the container's network namespace: before it is joined, and when it is. */
function planNetDevices({ netDevices = {}, namespaces }: OciLinux, { links = {} }: OciPlace) {
  const found = Object.entries(netDevices).map(([device, { name = device }]) => {
    const field = `linux.netDevices[${device}]`;
    if (!spaceOf({ namespaces }, 'network'))
      throw new OciError(field, 'invalid', 'needs a network namespace');
    const link = Object.hasOwn(links, device) && links[device];
    if (!link) throw new OciError(field, 'invalid', 'no such device');
    return { name, ...link };
  });
  const namespaceFd = spaceDescriptor('network');
  return {
    move: netlinkOp(found, (netlink, link) => moveLink(netlink, { ...link, namespaceFd })),
    settle: netlinkOp(found, (netlink, { index, addresses }) => {
      for (const address of addresses)
        ensureAddress(netlink, { linkIndex: index, ...address }, 'global');
      setLinkUp(netlink, index);
    }),
  };
}

function netlinkOp<T>(links: readonly T[], ask: (netlink: Netlink, link: T) => void): Op[] {
  if (links.length === 0) return [];
  const messages = recordNetlink((netlink) => {
    for (const link of links) ask(netlink, link);
  });
  return [{ op: 'netlink', messages }];
}
