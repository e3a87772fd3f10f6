import { posix } from 'node:path';
import type { SandboxNamespace } from '../kernel/op.ts';
import { allCapabilities, capabilityBit } from '../oci/capability.ts';
import type { LinuxSeccomp, OciLinux, OciMount, OciProcess, OciSpec } from '../oci/oci-spec.ts';
import type * as ports from '../ports.ts';
import { configError } from './container-error.ts';
import { type ResolvedUser, resolveUser } from './image-user.ts';
import { planResources } from './plan-resources.ts';
import { etcFiles } from './root-mount.ts';

/** What a container's configuration depends on beside its own spec. */
export interface ContainerSurroundings {
  readonly namespace: string;
  readonly podName: string;
  readonly hostname: string;
  readonly hostNetwork: boolean;
  readonly userNamespace: ports.UserNamespaceRange | undefined;
  /** The agent's own capabilities, as bits. */
  readonly hostCapabilities: bigint;
  /** /etc/passwd and /etc/group of the image, "" where it has none. */
  readonly passwd: string;
  readonly group: string;
  /** RuntimeDefault, for a process with these capabilities. */
  readonly seccomp: (capabilities: readonly string[]) => LinuxSeccomp;
  readonly cgroupVersion: 1 | 2;
  /** Where the shim shows its namespaces. */
  readonly namespacePath: (type: SandboxNamespace) => string;
  /** Where the root file system will be mounted. */
  readonly root: string;
  /** Host paths; all of them are there when the container starts. */
  readonly sources: {
    readonly shm: string;
    /** Directory of hosts, hostname and resolv.conf. */
    readonly etc: string;
    readonly terminationLog: string;
    /** Where the shim has mounted a volume in memory. */
    readonly tmpfs: (volume: string) => string;
  };
}

/** Docker's and containerd's defaults for this container. Throws ContainerError(CreateContainerConfigError). */
export function planConfig(spec: ports.ContainerSpec, around: ContainerSurroundings): OciSpec {
  const { security } = spec;
  const user = resolveUser({
    security,
    imageUser: spec.image.config.user,
    passwd: around.passwd,
    group: around.group,
    pod: `${around.podName}_${around.namespace}(${spec.id.uid})`,
    container: spec.id.name,
  });
  const range = around.userNamespace;
  refuseUnmapped(user, range);
  const ids = range && [{ containerID: 0, hostID: range.firstId, size: range.size }];
  const process = planProcess(spec, around, user);
  const confined = !security.privileged && security.seccomp === 'RuntimeDefault';
  return {
    ociVersion: '1.2.0',
    process,
    root: { path: around.root, readonly: security.readOnlyRootFilesystem },
    hostname: around.hostname,
    mounts: [...systemMounts(spec), ...fileMounts(around), ...volumeMounts(spec, around)],
    linux: {
      ...(ids && { uidMappings: ids, gidMappings: ids }),
      namespaces: planNamespaces(spec, around),
      resources: {
        ...planResources(spec.resources, around.cgroupVersion),
        devices: security.privileged ? [{ allow: true }] : [],
      },
      ...(confined && { seccomp: around.seccomp(process.capabilities?.bounding ?? []) }),
      maskedPaths: security.privileged ? [] : maskedPaths,
      readonlyPaths: security.privileged ? [] : readonlyPaths,
    },
  };
}

function planNamespaces(
  { besides }: ports.ContainerSpec,
  { hostNetwork, userNamespace, namespacePath }: ContainerSurroundings,
): OciLinux['namespaces'] {
  const network = hostNetwork ? [] : (['network'] as const);
  const user = userNamespace ? (['user'] as const) : [];
  return [
    ...(['mount', 'cgroup'] as const).map((type) => ({ type })),
    { type: 'pid', ...(besides && { path: '/proc/self/ns/pid' }) },
    ...[...network, 'ipc' as const, 'uts' as const, ...user].map((type) => ({
      type,
      path: namespacePath(type),
    })),
  ];
}

/** The kernel has no host id for it; containerd would fail later, with EINVAL. */
function refuseUnmapped(user: ResolvedUser, range: ports.UserNamespaceRange | undefined): void {
  const highest = Math.max(user.uid, ...user.additionalGids);
  if (range && highest >= range.size)
    throw configError(
      `id ${highest} is outside of the pod's ${range.size} ids; such a pod needs hostUsers: true`,
    );
}

function planProcess(
  spec: ports.ContainerSpec,
  around: ContainerSurroundings,
  user: ResolvedUser,
): OciProcess {
  const { security } = spec;
  const { uid, gid, additionalGids } = user;
  const granted = planCapabilities(security, {
    ownUserNamespace: around.userNamespace !== undefined,
    available: around.hostCapabilities,
  }).map((name) => `CAP_${name}`);
  return {
    terminal: spec.terminal,
    args: planArgs(spec),
    env: planEnv(spec, around.hostname, user.home),
    cwd: planWorkingDirectory(spec),
    user: { uid, gid, additionalGids },
    // Never inheritable or ambient ones: CVE-2022-29162.
    capabilities: { bounding: granted, effective: granted, permitted: granted },
    ...(security.appArmor && { apparmorProfile: security.appArmor }),
    noNewPrivileges: !security.allowPrivilegeEscalation && !security.privileged,
  };
}

/** Kubernetes' table: `command` replaces entrypoint and cmd, `args` alone replaces cmd. */
function planArgs({ id, image, command, args }: ports.ContainerSpec): readonly string[] {
  const { entrypoint, cmd } = image.config;
  const argv = command?.length
    ? [...command, ...(args ?? [])]
    : [...entrypoint, ...(args?.length ? args : cmd)];
  if (argv.length === 0 || argv[0] === '')
    throw configError(`container ${id.name}: no command specified, and the image has none`);
  refuseNul(argv, `container ${id.name}: command`);
  return argv;
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Defaults, then the image's, then the pod's: a later one replaces an earlier one of the same name. */
function planEnv(spec: ports.ContainerSpec, hostname: string, home: string | undefined) {
  const defaults = [`PATH=${DEFAULT_PATH}`, `HOSTNAME=${hostname}`, `HOME=${home || '/'}`];
  if (spec.terminal) defaults.push('TERM=xterm');
  const byName = new Map<string, string>();
  for (const entry of [...defaults, ...spec.image.config.env, ...spec.env])
    byName.set(entry.split('=', 1)[0] ?? '', entry);
  const env = [...byName.values()];
  refuseNul(env, `container ${spec.id.name}: environment`);
  return env;
}

function planWorkingDirectory({ id, workingDir, image }: ports.ContainerSpec): string {
  const cwd = workingDir || image.config.workingDir || '/';
  if (!cwd.startsWith('/'))
    throw configError(`container ${id.name}: working directory "${cwd}" is not absolute`);
  refuseNul([cwd], `container ${id.name}: working directory`);
  return posix.normalize(cwd);
}

function refuseNul(texts: readonly string[], what: string): void {
  if (texts.some((text) => text.includes('\0'))) throw configError(`${what} contains a NUL byte`);
}

const hidden = ['nosuid', 'nodev', 'noexec'] as const;

/** /dev is fresh, so that no device node of the image counts; sysfs shows the pod's own network namespace. */
function systemMounts({ security }: ports.ContainerSpec): readonly OciMount[] {
  const system = security.privileged ? hidden : ['ro', ...hidden];
  const mount = (type: string, destination: string, options: readonly string[]) => ({
    ...{ type, source: type, destination, options },
  });
  return [
    mount('proc', '/proc', hidden),
    mount('tmpfs', '/dev', ['nosuid', 'noexec', 'mode=755', 'size=65536k']),
    mount('devpts', '/dev/pts', [
      ...['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    ]),
    mount('mqueue', '/dev/mqueue', hidden),
    mount('sysfs', '/sys', system),
    mount('cgroup', '/sys/fs/cgroup', system),
  ];
}

/** Kubernetes gives these to every container; they stay writable, as they are the pod's own copies. */
function fileMounts({ sources }: ContainerSurroundings): readonly OciMount[] {
  const options = ['nosuid', 'nodev'] as const;
  return [
    bind('/dev/shm', sources.shm, hidden),
    ...etcFiles.map((name) => bind(`/etc/${name}`, posix.join(sources.etc, name), options)),
    bind('/dev/termination-log', sources.terminationLog, options),
  ];
}

function bind(destination: string, source: string, options: readonly string[]): OciMount {
  return { type: 'bind', destination, source, options: ['bind', ...options] };
}

/** Outer ones first, whatever the order in the pod. A volume at /etc/hosts covers ours. */
function volumeMounts(
  spec: ports.ContainerSpec,
  around: ContainerSurroundings,
): readonly OciMount[] {
  const depth = (mount: OciMount) => mount.destination.split('/').length;
  return spec.mounts
    .map((mount) => planVolumeMount(mount, spec, around))
    .toSorted((a, b) => depth(a) - depth(b));
}

function planVolumeMount(
  mount: ports.ContainerMount,
  spec: ports.ContainerSpec,
  around: ContainerSurroundings,
): OciMount {
  const destination = posix.resolve('/', mount.mountPath);
  const where = `container ${spec.id.name}: mountPath "${mount.mountPath}"`;
  // Files of a volume that pose as procfs would be believed when labels and profiles are set (CVE-2019-16884).
  if (destination === '/' || /^\/(proc|sys)(\/|$)/.test(destination))
    throw configError(`${where} is not allowed: it would hide what the kernel shows there`);
  refuseNul([mount.mountPath, mount.subPath], where);
  if (mount.subPath.startsWith('/') || mount.subPath.split('/').includes('..'))
    throw configError(`${where}: subPath "${mount.subPath}" must be relative, without ".."`);
  const { source } = mount;
  const readOnly = mount.readOnly || (source.kind === 'directory' && source.readOnly);
  const whole = source.kind === 'tmpfs' ? around.sources.tmpfs(source.name) : source.path;
  const options = readOnly ? ['ro', 'nodev'] : ['nodev'];
  const volume = bind(destination, mount.subPath || whole, options);
  return mount.subPath ? { ...volume, below: whole } : volume;
}

const maskedPaths = `/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys
  /proc/latency_stats /proc/sched_debug /proc/scsi /proc/timer_list /proc/timer_stats
  /sys/devices/virtual/powercap /sys/firmware`.split(/\s+/);

const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** What docker and containerd give. */
const defaults = `AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW
  SETFCAP SETGID SETPCAP SETUID SYS_CHROOT`.split(/\s+/);

/**
 * A container's capabilities in the order of their numbers: first what is added, then what is dropped is taken away;
 * drop ALL + add X leaves X, as in containerd. In the host's user namespace only `available` ones can be given; in a
 * namespace of its own the kernel gives every one, over that namespace.
 *
 * MKNOD is no default in the host's user namespace: any disk of the host could be read with it. In a user namespace it
 * has no power over devices and is kept for programs that look for it.
 */
function planCapabilities(
  security: ports.ContainerSecurity,
  of: { readonly ownUserNamespace: boolean; readonly available: bigint },
): readonly string[] {
  const kept = new Set(wantedCapabilities(security, of.ownUserNamespace));
  const possible = (name: string) =>
    of.ownUserNamespace || (of.available & capabilityBit(name)) !== 0n;
  return allCapabilities.filter((name) => kept.has(name) && possible(name));
}

function wantedCapabilities(security: ports.ContainerSecurity, ownUserNamespace: boolean) {
  const add = security.capabilitiesAdd.map(normalize);
  const drop = security.capabilitiesDrop.map(normalize);
  refuseUnknown([...add, ...drop]);
  if (security.privileged) return allCapabilities;
  const base = defaults.filter((name) => ownUserNamespace || name !== 'MKNOD');
  const before = drop.includes('ALL') ? [] : add.includes('ALL') ? allCapabilities : base;
  return [...before, ...add].filter((name) => !drop.includes(name));
}

const normalize = (name: string): string => name.toUpperCase().replace(/^CAP_/, '');

function refuseUnknown(names: readonly string[]): void {
  const unknown = names.find((name) => name !== 'ALL' && !allCapabilities.includes(name));
  if (unknown !== undefined) throw configError(`unknown capability "${unknown}"`);
}
