import type { Op, SandboxNamespace } from '../kernel/op.ts';
import type { MountFlag } from '../kernel/op-fields.ts';
import { capabilityMask } from './capabilities.ts';
import type { OciConfig, OciMount, OciProcess } from './oci-config.ts';

/** Where a container's things are on the host, and what was compiled for it. */
export interface StartSurroundings {
  /** The container's directory; upper, work, root and the lower mounts are made in it. */
  readonly directory: string;
  /** The image's unpacked layers, lowest first. */
  readonly layers: readonly string[];
  /** cgroup.procs files to attach to; none if the process was cloned into its cgroup. */
  readonly attach: readonly string[];
  /** Compiled filter; undefined: unconfined. */
  readonly seccomp: Uint8Array | undefined;
}

/**
 * Everything between clone and execve of a container's first process. The process starts as real root in mount and
 * pid namespaces of its own, and its mount namespace belongs to the host's user namespace, so that nothing inside can
 * undo what is set up here. The order is the safety argument:
 *
 *  1. cgroup first: whatever follows is charged to the container and dies with it; the cgroup namespace after that,
 *     as it takes the present position for its root.
 *  2. The pod's network and ipc namespaces before the mounts: sysfs and mqueue show the namespaces of their mounter.
 *     procfs shows the new pid namespace anyway.
 *  3. The root, then mounts in it from the outside in, all targets resolved below it. Nothing of the image runs yet.
 *  4. Masks after all mounts, as mounts would cover them; the root turns read-only when every mount point is made.
 *  5. pivot-root: from here on the host's files are out of reach, and descriptors of them are close-on-exec.
 *  6. The user namespace last: joining it gives up all power over what was set up before.
 *  7. Rights, see `planIdentity`; the working directory as the user who will be in it; exec.
 */
export function planStart(config: OciConfig, around: StartSurroundings): readonly Op[] {
  return [
    ...around.attach.map(attachTo),
    { op: 'make-private' },
    ...joins(config, ['network', 'ipc', 'uts']),
    { op: 'unshare', namespaces: ['cgroup'] },
    ...planRoot(config, around),
    ...config.mounts.flatMap((mount) => planMount(mount)),
    ...planDevices(config),
    makeDirectory({ path: config.process.cwd, inRoot: true }, rootOf(config)),
    ...config.linux.maskedPaths.map((path): Op => ({ op: 'mask', path })),
    ...config.linux.readonlyPaths.map((path): Op => ({ op: 'read-only', path })),
    ...(config.root.readonly ? [{ op: 'read-only-root' } as const] : []),
    { op: 'pivot-root' },
    { op: 'new-keyring' },
    ...planSession(config.process.terminal),
    ...joins(config, ['user']),
    ...planIdentity(config.process, around.seccomp),
  ];
}

/** What of a container is needed to run a further process in it. */
export interface ExecSurroundings {
  /** The container's name in its shim. */
  readonly container: string;
  readonly attach: readonly string[];
  readonly joins: readonly SandboxNamespace[];
  readonly seccomp: Uint8Array | undefined;
}

/**
 * A process beside the first one: same cgroup, namespaces, user, rights. The root is opened again inside, so that the
 * working directory is resolved without magic links (CVE-2024-21626).
 */
export function planExec(process: OciProcess, around: ExecSurroundings): readonly Op[] {
  const joined = around.joins.filter((namespace) => namespace !== 'user');
  return [
    ...around.attach.map(attachTo),
    ...joined.map((namespace): Op => ({ op: 'join', namespace })),
    { op: 'enter-container', container: around.container },
    { op: 'set-root', path: '/' },
    { op: 'new-keyring' },
    ...planSession(process.terminal),
    ...(around.joins.includes('user') ? [{ op: 'join', namespace: 'user' } as const] : []),
    ...planIdentity(process, around.seccomp),
  ];
}

/** The terminal is made while the process still may, in the container's own devpts. */
function planSession(terminal: boolean): readonly Op[] {
  const session: Op = { op: 'new-session', controllingTerminal: terminal };
  return terminal ? [{ op: 'terminal' }, session] : [session];
}

/** A file system in memory that the containers of a pod share; stays in the shim's mount namespace. */
export function planTmpfs(tmpfs: {
  readonly target: string;
  readonly sizeBytes: number | undefined;
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
}): readonly Op[] {
  const size = tmpfs.sizeBytes === undefined ? '' : `,size=${tmpfs.sizeBytes}`;
  return [
    {
      op: 'mount',
      source: 'tmpfs',
      target: tmpfs.target,
      inRoot: false,
      create: true,
      fstype: 'tmpfs',
      flags: ['nosuid', 'nodev'],
      data: `mode=${tmpfs.mode},uid=${tmpfs.uid},gid=${tmpfs.gid}${size}`,
    },
  ];
}

/**
 * Bounding set before the ids, while SETPCAP is there. Without no-new-privs a filter needs SYS_ADMIN, so it is
 * installed before that goes; with it, as late as possible, so that the least of ours runs under it.
 */
function planIdentity(process: OciProcess, seccomp: Uint8Array | undefined): readonly Op[] {
  const { args, env, cwd, user } = process;
  const caps = capabilityMask(process.capabilities);
  const filter: readonly Op[] = seccomp ? [{ op: 'seccomp', program: seccomp }] : [];
  const early = process.noNewPrivileges ? [] : filter;
  const late: readonly Op[] = process.noNewPrivileges ? [{ op: 'no-new-privs' }, ...filter] : [];
  return [
    { op: 'umask', mask: 0o022 },
    ...early,
    { op: 'drop-bounding', keep: caps },
    { op: 'set-ids', uid: user.uid, gid: user.gid, groups: user.additionalGids },
    { op: 'set-caps', effective: caps, permitted: caps, inheritable: 0n, ambient: 0n },
    { op: 'chdir', path: cwd },
    ...late,
    { op: 'exec', argv: args, env },
  ];
}

/**
 * The overlay, in the container's own mount namespace, so that it ends with the container. Its options must fit into
 * one page (mount(2)), so the layers are bound at short relative names first, where they are idmapped, too. `nodev`:
 * device nodes of an image, or made later, open nothing.
 */
function planRoot(config: OciConfig, around: StartSurroundings): readonly Op[] {
  const directory = (path: string, uid: number) => makeDirectory({ path, inRoot: false }, uid);
  const lower = around.layers.map((_, i) => `lower/${i}`).toReversed();
  return [
    { op: 'chdir', path: around.directory },
    ...['lower', 'root', 'work'].map((path) => directory(path, 0)),
    directory('upper', rootOf(config)),
    ...around.layers.flatMap((layer, i) => [
      directory(`lower/${i}`, 0),
      bindLayer(layer, `lower/${i}`, config.linux.uidMappings !== undefined),
    ]),
    {
      op: 'mount',
      source: 'overlay',
      target: 'root',
      inRoot: false,
      create: false,
      fstype: 'overlay',
      flags: ['nodev'],
      data: `lowerdir=${lower.join(':')},upperdir=upper,workdir=work`,
    },
    { op: 'set-root', path: 'root' },
  ];
}

function bindLayer(source: string, target: string, idmap: boolean): Op {
  return {
    op: 'bind',
    source,
    target,
    inRoot: false,
    sourceBelow: '',
    create: false,
    flags: ['ro', 'nosuid', 'nodev'],
    idmap,
  };
}

function planMount(mount: OciMount): readonly Op[] {
  const flags: readonly MountFlag[] = mount.options;
  const target = { target: mount.destination, inRoot: true, create: true, flags };
  if (mount.type === 'bind') {
    const from = mount.subPath === '' ? mount.source : mount.subPath;
    const sourceBelow = mount.subPath === '' ? '' : mount.source;
    const bind = { source: from, sourceBelow, idmap: false };
    return [{ op: 'bind', ...bind, ...target }];
  }
  const type = { source: mount.type, fstype: mount.type, data: mount.fsOptions };
  return [{ op: 'mount', ...type, ...target }];
}

const S_IFCHR = 0o020000;

/** Real nodes: mknod(2) works, as the process is root outside, and /dev is a file system of ours. */
function planDevices(config: OciConfig): readonly Op[] {
  const owner = rootOf(config);
  const node = {
    op: 'mknod',
    inRoot: true,
    mode: S_IFCHR | 0o666,
    uid: owner,
    gid: owner,
  } as const;
  const nodes = config.linux.devices.map((device): Op => ({ ...node, ...device }));
  const links = Object.entries(deviceLinks).map(
    ([path, to]): Op => ({ op: 'symlink', path, inRoot: true, to }),
  );
  return [...nodes, ...links];
}

const deviceLinks = {
  '/dev/fd': '/proc/self/fd',
  '/dev/stdin': '/proc/self/fd/0',
  '/dev/stdout': '/proc/self/fd/1',
  '/dev/stderr': '/proc/self/fd/2',
  '/dev/ptmx': 'pts/ptmx',
} as const;

function makeDirectory(at: { path: string; inRoot: boolean }, owner: number): Op {
  return { op: 'mkdir', ...at, mode: 0o755, uid: owner, gid: owner };
}

/** The host's id of the container's root. */
const rootOf = ({ linux }: OciConfig) => linux.uidMappings?.hostID ?? 0;

function joins(config: OciConfig, wanted: readonly SandboxNamespace[]): readonly Op[] {
  return wanted
    .filter((namespace) => config.linux.joins.includes(namespace))
    .map((namespace) => ({ op: 'join', namespace }));
}

/** "0" is the process that writes. */
function attachTo(path: string): Op {
  return { op: 'write', path, bytes: Buffer.from('0') };
}
