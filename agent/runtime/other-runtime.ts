import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ifPresent } from '../../base/durable-file.ts';
import type { Op } from '../kernel/op.ts';
import type { OpError } from '../kernel/op-error.ts';
import type { OciPlace } from '../oci/oci-place.ts';
import type { OciMount, OciProcess, OciSpec } from '../oci/oci-spec.ts';
import type { ContainerId } from '../ports.ts';
import { ContainerError } from './container-error.ts';
import { containerKey, parseContainerKey, podPaths, type RuntimeDirectories } from './pod-paths.ts';
import { readSandboxRecord, recordedContainers } from './records.ts';

/**
 * A container of another OCI runtime on this host, by the command line that runc, crun, gVisor and Kata have in
 * common. The shim runs each verb; it is a subreaper, so what `create` leaves running becomes its child and is, from
 * then on, a container as any other: its log, its exit, attaching. Signals and further processes go by the verbs.
 */
export interface OtherContainer {
  readonly program: string;
  readonly id: string;
  /** Holds config.json and, while the container starts, its root. */
  readonly bundle: string;
  /** Where the runtime keeps what it knows of the pod's containers. */
  readonly state: string;
}

/** undefined: the container is one of orc's own runtime. */
export function otherContainer(
  dirs: RuntimeDirectories,
  id: ContainerId,
  sandbox = readSandboxRecord(podPaths(dirs, id.uid)),
): OtherContainer | undefined {
  const paths = podPaths(dirs, id.uid);
  const program = sandbox?.runtime;
  if (program === undefined) return undefined;
  return {
    program,
    id: `orc-${id.uid}-${containerKey(id)}`,
    bundle: paths.container(id),
    state: join(paths.run, 'runtime'),
  };
}

/** Of one pod. */
export function otherContainers(dirs: RuntimeDirectories, uid: string): readonly OtherContainer[] {
  const ids = recordedContainers(dirs, uid).map((name) => parseContainerKey(uid, name));
  return ids.flatMap((id) => (id && otherContainer(dirs, id)) ?? []);
}

/** In a mount namespace of its own, which is gone when the container has its copy of it. */
export function planCreate(
  at: OtherContainer,
  { spec, place }: { readonly spec: OciSpec; readonly place: OciPlace },
): readonly Op[] {
  const pidFile = join(at.bundle, 'pid');
  const subPaths = (spec.mounts ?? []).flatMap((mount: OciMount, i): readonly Op[] => {
    const { source = '', below } = mount;
    if (below === undefined) return [];
    const target = subPath(at, i);
    return [{ op: 'bind', source, sourceBelow: below, target, create: true, flags: [] }];
  });
  return [
    // On version 1 the runtime's groups begin where it is itself, which need not be the same place in every tree.
    ...place.attach.map((path): Op => ({ op: 'write', path, bytes: Buffer.from('0') })),
    ...(place.root ?? []),
    ...planView(at, place),
    { op: 'bind', source: spec.root?.path ?? '', target: rootfs(at), flags: [] },
    ...subPaths,
    umask,
    verb(at, 'create', '--bundle', at.bundle, '--pid-file', pidFile, at.id),
    verb(at, 'start', at.id),
    { op: 'adopt', path: pidFile },
  ];
}

export const planKill = (at: OtherContainer, signal: number): readonly Op[] => [
  umask,
  verb(at, 'kill', at.id, String(signal)),
];

export const planDelete = (at: OtherContainer) => [umask, verb(at, 'delete', '--force', at.id)];

/** `directory`: for the files that go with the process, made anew. */
export function planOtherExec(
  at: OtherContainer,
  { process, place }: { readonly process: OciProcess; readonly place: OciPlace },
): { readonly ops: readonly Op[]; readonly directory: string } {
  const directory = mkdtempSync(join(at.bundle, 'exec-'));
  const [file, pidFile] = [join(directory, 'process.json'), join(directory, 'pid')];
  writeFileSync(file, JSON.stringify(process));
  const exec = verb(
    ...([at, 'exec', '--detach', '--process', file, '--pid-file', pidFile, at.id] as const),
  );
  return {
    // runc begins in the root's directory, be it empty.
    ops: [
      { op: 'unshare', namespaces: ['mount'] },
      ...planView(at, place),
      umask,
      exec,
      { op: 'adopt', path: pidFile },
    ],
    directory,
  };
}

/**
 * Where the runtime finds the root: in the mount namespace of `create` only. The pod's root user makes its way there
 * in its user namespace, so it can't be below our directories, which are for the host's root alone.
 */
const shelf = { target: '/dev/shm', data: 'mode=755,size=64k' };
const rootfs = ({ id }: OtherContainer) => join(shelf.target, id);

/** What the runtime expects to see; of cgroups on version 1, where its cgroup namespace begins and not the host's. */
function planView(at: OtherContainer, { attach }: OciPlace): readonly Op[] {
  const trees = attach.map((path) => /^\/sys\/fs\/cgroup\/([^/]+)/.exec(path)?.[1] ?? 'unified');
  return [
    ...trees.flatMap((data): readonly Op[] => {
      if (data === 'unified') return [];
      const target = `/sys/fs/cgroup/${data}`;
      // mount(2) refuses to cover a file system with itself.
      return ['tmpfs', 'cgroup'].map((fstype) => ({
        ...{ op: 'mount', source: fstype, fstype, target, flags: [] },
        data: fstype === 'cgroup' ? data : '',
      }));
    }),
    { ...{ op: 'mount', source: 'tmpfs', fstype: 'tmpfs', flags: [] }, ...shelf },
    { op: 'mkdir', path: rootfs(at), mode: 0o755, uid: 0, gid: 0 },
  ];
}

/**
 * What the standard says differently from our own: devices are forbidden by a rule, and nothing is relative to another.
 * Its version is the oldest that has all that pods ask for: crun 1.8 refuses those from 1.1 on.
 */
export function writeBundle(
  at: OtherContainer,
  { spec, place }: { readonly spec: OciSpec; readonly place: OciPlace },
): void {
  const { linux = {}, mounts = [] } = spec;
  const allowed = (linux.resources?.devices ?? []).some(({ allow }) => allow);
  const config: OciSpec = {
    ...spec,
    ociVersion: '1.0.2',
    root: { ...spec.root, path: rootfs(at) },
    mounts: mounts.map(({ below, ...mount }: OciMount, i) =>
      below === undefined ? mount : { ...mount, source: subPath(at, i) },
    ),
    linux: {
      ...linux,
      cgroupsPath: cgroupsPath(at, place),
      resources: { ...linux.resources, devices: [{ allow: allowed, access: 'rwm' }] },
    },
  };
  writeFileSync(join(at.bundle, 'config.json'), JSON.stringify(config), { mode: 0o600 });
}

const subPath = ({ bundle }: OtherContainer, index: number) => join(bundle, `sub-path-${index}`);

/** On version 2 the very group that is there for it; else one below it. */
const cgroupsPath = ({ id }: OtherContainer, { cgroups }: OciPlace): string => {
  const unified = cgroups.find(({ controller }) => controller === '');
  return unified ? `/${relative('/sys/fs/cgroup', unified.path)}` : id;
};

const umask: Op = { op: 'umask', mask: 0o022 };

/** The kubelet's patience with a runtime; and what a pod's end can wait. */
const timeoutsMs = { start: 120_000, end: 10_000 } as const;

function verb(at: OtherContainer, ...args: readonly string[]): Op {
  const log = ['--log', logOf(at), '--log-format', 'json'];
  const timeoutMs = timeoutsMs[/kill|delete/.test(args[0] ?? '') ? 'end' : 'start'];
  return { op: 'spawn', argv: [at.program, '--root', at.state, ...log, ...args], env, timeoutMs };
}

/** Some are wrappers that look for the runtime proper. */
const env = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'];

const logOf = ({ bundle }: OtherContainer) => join(bundle, 'runtime.log');

/** In the runtime's own words: the last that it has written. undefined: the failure is none of another runtime. */
export function otherFailure(at: OtherContainer | undefined, cause: OpError) {
  if (at === undefined || cause.failure.stage !== 'program') return undefined;
  const log = ifPresent(() => readFileSync(logOf(at), 'utf8')) ?? '';
  const said = /"msg":("(?:[^"\\]|\\.)*")[^\n]*\n?$/.exec(log)?.[1];
  const late = cause.code === 'ETIMEDOUT' ? 'it took too long and was killed; ' : '';
  const why = late + (said === undefined ? 'it said nothing' : (JSON.parse(said) as string));
  return new ContainerError('StartError', `${at.program}: ${why}`, { cause });
}
