import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Base } from '../../base/base.ts';
import { withDeadline } from '../../base/deadline.ts';
import { ifPresent } from '../../base/durable-file.ts';
import type { Cgroups } from '../kernel/cgroups.ts';
import type { Launcher, ShimRequest } from '../kernel/launcher.ts';
import { namespacePath } from '../kernel/namespace-path.ts';
import type { Op } from '../kernel/op.ts';
import type { ExecSession } from '../kernel/shim.ts';
import type { Shim } from '../kernel/shim-client.ts';
import { planCgroup } from '../oci/plan-cgroup.ts';
import { planPodSpaces } from '../oci/plan-spaces.ts';
import type { Sandbox, SandboxPort, SandboxSpec } from '../ports.ts';
import { SandboxError, withReason } from './container-error.ts';
import { otherContainers, planDelete } from './other-runtime.ts';
import { planResources } from './plan-resources.ts';
import {
  mountPoints,
  type PodPaths,
  podPaths,
  type RuntimeDirectories,
  shimCgroupPrefix,
} from './pod-paths.ts';
import type { PodShims } from './pod-shims.ts';
import * as records from './records.ts';
import { removeDirectory } from './remove-directory.ts';
import { ensureTmpfs, inShim, planTmpfs } from './root-mount.ts';

/** What both ports of the runtime work with. */
export interface RuntimeContext extends Pick<Base, 'clock' | 'log'> {
  readonly dirs: RuntimeDirectories & { readonly logDir: string };
  readonly cgroups: Cgroups;
  readonly launcher: Launcher;
  readonly shims: PodShims;
  readonly runtimes: Readonly<Record<string, string>>;
}

export function sandboxPort(context: RuntimeContext): SandboxPort {
  const furnished = new WeakSet<Shim>();
  return {
    ensure: (spec, signal) => ensure({ ...context, furnished }, spec, signal),
    find: async (uid) => {
      const recorded = fs.existsSync(podPaths(context.dirs, uid).data);
      const known = recorded || (await shimGroups(context)).includes(uid);
      return known ? observe(context, uid) : undefined;
    },
    list: async () => {
      const uids = [...records.recordedSandboxes(context.dirs), ...(await shimGroups(context))];
      return Promise.all([...new Set(uids)].map((uid) => observe(context, uid)));
    },
    runInNetwork: async (uid, ops) => {
      const shim = await readyShim(context, uid);
      await shim.run([{ op: 'join', namespace: 'network' }, ...ops]);
    },
    dial: (uid, port) => dial(context, uid, port),
    remove: (uid) => remove(context, uid),
  };
}

/** What runs, or did, of pods whose records are gone: lost, and so removed. */
async function shimGroups({ cgroups }: RuntimeContext): Promise<readonly string[]> {
  const groups = await cgroups.list();
  return groups.flatMap((name) =>
    name.startsWith(shimCgroupPrefix) ? [name.slice(shimCgroupPrefix.length)] : [],
  );
}

interface EnsureContext extends RuntimeContext {
  /** Shims that are known to have the pod's memory mounted. */
  readonly furnished: WeakSet<Shim>;
}

async function ensure(context: EnsureContext, spec: SandboxSpec, signal: AbortSignal) {
  signal.throwIfAborted();
  const paths = podPaths(context.dirs, spec.uid);
  const record = records.readSandboxRecord(paths);
  const found = await context.shims.get(spec.uid);
  if (record?.complete && found === undefined) throw lost(spec.uid);
  try {
    const shim = record?.complete && found ? found : await create(context, { spec, paths, found });
    if (!context.furnished.has(shim)) await ensureTmpfs(shim, podMemory(spec, paths));
    context.furnished.add(shim);
    writePodFiles(spec, inShim(shim, paths.etc));
    if (!record?.complete) records.completeSandbox(paths);
  } catch (cause) {
    const what = `sandbox of pod ${spec.namespace}/${spec.name}`;
    throw new SandboxError('CreatePodSandboxError', what, { cause });
  }
  return observe(context, spec.uid);
}

/** Every step may have been done before by an agent that died in the midst of it. */
async function create(
  context: EnsureContext,
  of: { readonly spec: SandboxSpec; readonly paths: PodPaths; readonly found: Shim | undefined },
): Promise<Shim> {
  const { dirs, cgroups, furnished } = context;
  const { spec, paths, found } = of;
  for (const dir of [dirs.dataDir, dirs.runDir])
    fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
  for (const dir of [paths.containers, join(paths.run, 'tmpfs'), mountPoints(dirs)])
    fs.mkdirSync(dir, { recursive: true });
  records.writeSandboxRecord(paths, { ...spec, runtime: runtimeOf(context, spec) });
  const limits = planCgroup(planResources(spec.resources, cgroups.version), cgroups.version);
  const birthplace = await cgroups.ensureMark(paths.shimCgroup);
  // While the launcher makes the shim, the pod's groups are made here.
  const [shim] = await Promise.all([
    found ?? startShim(context, spec.uid, { runDir: paths.run, ...birthplace }),
    cgroups.ensure(paths.cgroup, limits),
  ]);
  // A shim that is found may have some of it. Mounted first: a process in the pod's user namespace may not.
  const memory = found ? [] : podMemory(spec, paths);
  await shim.run([...memory.flatMap(planTmpfs), ...planPodSpaces(spec)]);
  if (!found) furnished.add(shim);
  return shim;
}

function runtimeOf({ runtimes }: RuntimeContext, { runtimeHandler: handler }: SandboxSpec) {
  if (handler === undefined || Object.hasOwn(runtimes, handler)) return runtimes[handler ?? ''];
  throw new Error(`no runtime for handler "${handler}" is configured on this node`);
}

/** Docker's and Kubernetes' size of /dev/shm. The files are in memory so that no container fills the disk (CVE-2020-8557). */
function podMemory({ userNamespace }: SandboxSpec, { shm, etc, messages }: PodPaths) {
  const owner = userNamespace?.firstId ?? 0;
  return [
    { target: shm, sizeBytes: 64 * MI, mode: '1777', uid: owner, gid: owner },
    { target: etc, sizeBytes: 2 * MI, mode: '755', uid: 0, gid: 0 },
    { target: messages, sizeBytes: MI, mode: '755', uid: 0, gid: 0 },
  ];
}

const MI = 1024 * 1024;

async function startShim({ launcher, shims }: RuntimeContext, uid: string, request: ShimRequest) {
  const shim = await launcher.startShim(request);
  shims.adopt(uid, shim);
  return shim;
}

/** In place, as containers have these very files mounted: they see a change at once. */
function writePodFiles(spec: SandboxSpec, directory: string): void {
  const owner = spec.userNamespace?.firstId ?? 0;
  const files = [
    [join(directory, 'hosts'), spec.hosts],
    [join(directory, 'resolv.conf'), spec.resolvConf],
    [join(directory, 'hostname'), `${spec.hostname}\n`],
  ] as const;
  for (const [path, text] of files) {
    if (holds(path, Buffer.from(text))) continue;
    fs.writeFileSync(path, text, { mode: 0o644 });
    fs.chownSync(path, owner, owner);
  }
}

/** Containers can write to these files: only one of the right size is read. */
function holds(path: string, bytes: Buffer): boolean {
  const found = fs.statSync(path, { throwIfNoEntry: false });
  return found?.size === bytes.length && bytes.equals(fs.readFileSync(path));
}

async function observe(context: RuntimeContext, uid: string): Promise<Sandbox> {
  const record = records.readSandboxRecord(podPaths(context.dirs, uid));
  const shim = record?.complete ? await context.shims.get(uid) : undefined;
  return {
    uid,
    state: shim ? 'ready' : 'lost',
    networkNamespace: shim && !record?.hostNetwork ? namespacePath(shim, 'network') : undefined,
    userNamespace: record?.userNamespace,
  };
}

async function readyShim(context: RuntimeContext, uid: string): Promise<Shim> {
  const record = records.readSandboxRecord(podPaths(context.dirs, uid));
  if (record === undefined) throw new SandboxError('UnknownSandbox', `no sandbox ${uid}`);
  const shim = await context.shims.get(uid);
  if (shim === undefined) throw lost(uid);
  return shim;
}

/** By a process without any rights. */
async function dial(context: RuntimeContext, uid: string, port: number): Promise<ExecSession> {
  const shim = await readyShim(context, uid);
  const record = records.readSandboxRecord(podPaths(context.dirs, uid));
  const ops: readonly Op[] = [
    { op: 'new-session', controllingTerminal: false },
    ...(record?.hostNetwork ? [] : [{ op: 'join', namespace: 'network' } as const]),
    { op: 'set-ids', uid: NOBODY, gid: NOBODY, groups: [] },
    { op: 'set-caps', effective: 0n, permitted: 0n, inheritable: 0n, ambient: 0n },
    { op: 'no-new-privs' },
    { op: 'dial', port },
  ];
  const request = { container: 'port-forward', ops, stdin: true, terminal: undefined };
  return withReason(await shim.exec(request), (cause) =>
    cause.code === 'ECONNREFUSED'
      ? new SandboxError('ConnectionRefused', `port ${port} refuses connections in the pod`)
      : new SandboxError('SandboxLost', `connecting to port ${port}`, { cause }),
  );
}

const NOBODY = 65_534;

const lost = (uid: string): SandboxError =>
  new SandboxError('SandboxLost', `sandbox ${uid} is lost: remove it first`);

/**
 * The shim is asked first, which is quick; the groups' removal kills whatever is left of a pod
 * without one. The directory by which the sandbox is known goes last, and only if all else went:
 * what resisted is not forgotten.
 */
async function remove(context: RuntimeContext, uid: string): Promise<void> {
  const { dirs, cgroups } = context;
  const paths = podPaths(dirs, uid);
  await shutDown(context, uid);
  const done = await Promise.allSettled([
    cgroups.remove(paths.cgroup),
    cgroups.remove(paths.shimCgroup),
    removeLogs(dirs.logDir, uid),
    removeDirectory(paths.run),
    removeDirectory(paths.containers),
  ]);
  for (const each of done) if (each.status === 'rejected') throw each.reason;
  await removeDirectory(paths.data);
}

const SHUTDOWN_DEADLINE_MS = 5_000;

async function shutDown({ dirs, shims, clock, log }: RuntimeContext, uid: string): Promise<void> {
  try {
    const limit = { clock, ms: SHUTDOWN_DEADLINE_MS, what: 'the shim to shut down' };
    await withDeadline(limit, async () => {
      const shim = await shims.get(uid);
      for (const other of otherContainers(dirs, uid)) await shim?.run(planDelete(other));
      await shim?.shutdown();
    });
  } catch (err) {
    log.debug({ err, uid }, 'shim did not shut down by itself: killing it');
  } finally {
    shims.forget(uid);
  }
}

/** LOG_DIR/NAMESPACE_NAME_UID, as the kubelet names them. */
async function removeLogs(logDir: string, uid: string): Promise<void> {
  const names = ifPresent(() => fs.readdirSync(logDir)) ?? [];
  for (const name of names.filter((entry) => entry.endsWith(`_${uid}`)))
    await removeDirectory(join(logDir, name));
}
