import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join, parse } from 'node:path';
import { ifPresent } from '../../base/durable-file.ts';
import { groupOf } from '../kernel/cgroup-trees.ts';
import type { CgroupFile } from '../kernel/cgroups.ts';
import { readExits } from '../kernel/exit-records.ts';
import { namespacePath } from '../kernel/namespace-path.ts';
import type { Op } from '../kernel/op.ts';
import { OpError } from '../kernel/op-error.ts';
import type { Shim } from '../kernel/shim-client.ts';
import { OciError } from '../oci/oci-error.ts';
import type { OciSpec } from '../oci/oci-spec.ts';
import { planCgroup } from '../oci/plan-cgroup.ts';
import { planContainer } from '../oci/plan-container.ts';
import { planRequest } from '../oci/plan-request.ts';
import type { Container, ContainerId, ContainerPort, ContainerSpec } from '../ports.ts';
import { planConfig } from './container-config.ts';
import { ContainerError, configError, startFailure } from './container-error.ts';
import { type ContainerContext, ownerOf, placeOf } from './container-place.ts';
import { attachToContainer, execInContainer } from './exec.ts';
import { readImageFile } from './image-files.ts';
import * as others from './other-runtime.ts';
import {
  containerKey,
  mountPoints,
  mountTargets,
  type PodPaths,
  parseContainerKey,
  podPaths,
  type RuntimeDirectories,
} from './pod-paths.ts';
import { unlessLost } from './pod-shims.ts';
import * as records from './records.ts';
import { removeDirectory } from './remove-directory.ts';
import { ensureTmpfs, inShim, planOverlay } from './root-mount.ts';
import { makeTerminationLog, readTerminationLog } from './termination-log.ts';

export const containerPort = (context: ContainerContext): ContainerPort => ({
  start: (spec, signal) => start(context, spec, signal),
  kill: (id, signal) => kill(context, id, signal),
  list: (uid) => list(context, uid),
  remove: (id) => remove(context, id),
  exec: (id, request) => execInContainer(context, id, request),
  attach: (id, stdin) => attachToContainer(context, id, stdin),
  onChange: (listener) => context.shims.onChange(listener),
});

async function start(context: ContainerContext, spec: ContainerSpec, signal: AbortSignal) {
  signal.throwIfAborted();
  const paths = podPaths(context.dirs, spec.id.uid);
  const sandbox = records.readSandboxRecord(paths);
  const shim = await context.shims.get(spec.id.uid);
  if (!sandbox?.complete || !shim)
    throw new ContainerError('RunContainerError', `pod ${spec.id.uid} has no sandbox`);
  if (!(await makeRoom(shim, spec.id, paths.container(spec.id)))) return;
  try {
    const config = configure(context, { spec, sandbox, paths, shim });
    const other = others.otherContainer(context.dirs, spec.id, sandbox);
    const own = await prepare(context, { spec, config, paths, shim, other });
    await launch(context, { spec, config, paths, shim, other }, own);
  } catch (cause) {
    await discard(context, spec.id, paths);
    throw cause instanceof OciError ? configError(cause.message) : cause;
  }
}

async function kill({ dirs, shims }: ContainerContext, id: ContainerId, signal: number) {
  const shim = await shims.get(id.uid);
  const other = others.otherContainer(dirs, id);
  const direct = async () => shim?.kill(containerKey(id), signal).catch(unlessLost);
  if (!other) return direct();
  const all = await shim?.list().catch(unlessLost);
  const found = all?.find(({ container }) => container === containerKey(id));
  if (!found || found.exit) return;
  // A runtime that can't must not keep its pod.
  const instead = (error: unknown) => (error instanceof OpError ? direct() : unlessLost(error));
  await shim?.run(others.planKill(other, signal)).catch(instead);
}

/** False: it was started already. What a crashed start has left is thrown away. */
async function makeRoom(shim: Shim, id: ContainerId, directory: string): Promise<boolean> {
  if (mkdirSync(directory, { recursive: true }) !== undefined) return true;
  const started = await shim.list();
  if (started.some(({ container }) => container === containerKey(id))) return false;
  await removeDirectory(directory);
  mkdirSync(directory);
  return true;
}

interface Starting {
  readonly spec: ContainerSpec;
  readonly config: OciSpec;
  readonly paths: PodPaths;
  readonly shim: Shim;
  readonly other: others.OtherContainer | undefined;
}

function configure(
  context: ContainerContext,
  of: { spec: ContainerSpec; sandbox: records.SandboxRecord; paths: PodPaths; shim: Shim },
): OciSpec {
  const { spec, sandbox, paths, shim } = of;
  return planConfig(spec, {
    namespace: sandbox.namespace,
    podName: sandbox.name,
    hostname: sandbox.hostname,
    hostNetwork: sandbox.hostNetwork,
    userNamespace: sandbox.userNamespace,
    hostCapabilities: context.capabilities,
    passwd: readImageFile(spec.image.layers, '/etc/passwd'),
    group: readImageFile(spec.image.layers, '/etc/group'),
    cgroupVersion: context.cgroups.version,
    seccomp: context.filters.profile,
    namespacePath: (type) => namespacePath(shim, type),
    root: join(mountPoints(context.dirs), 'root'),
    sources: {
      shm: paths.shm,
      etc: paths.etc,
      terminationLog: messagePath(paths, spec.id),
      tmpfs: paths.tmpfs,
    },
  });
}

/** Everything that the operations expect to be there. Returns those with which they begin. */
async function prepare(
  context: ContainerContext,
  { spec, config, paths, shim, other }: Starting,
): Promise<readonly Op[]> {
  const { cgroups, clock } = context;
  const directory = paths.container(spec.id);
  makeTerminationLog(inShim(shim, messagePath(paths, spec.id)));
  mkdirSync(dirname(spec.logPath), { recursive: true });
  records.writeContainerRecord(directory, {
    startedAtMs: clock.now(),
    imageId: spec.image.id,
    logPath: spec.logPath,
    spec: config,
  });
  const { devices, ...resources } = config.linux?.resources ?? {};
  // Another runtime has a list of devices of its own, and a group on version 1 can't allow what the one above doesn't.
  const rules = other ? {} : { devices };
  const { files, deviceFilter } = planCgroup({ ...resources, ...rules }, cgroups.version);
  const group = paths.containerCgroup(spec.id);
  const devicesDir = groupOf(cgroups.directories(group), 'devices')?.path;
  // Of version 1 a dozen, which the container writes itself: that costs this thread nothing.
  const isRule = ({ file }: CgroupFile) => devicesDir !== undefined && file.startsWith('devices.');
  await cgroups.ensure(group, { files: files.filter((file) => !isRule(file)), deviceFilter });
  const memory = spec.mounts.flatMap(({ source }) => {
    if (source.kind !== 'tmpfs') return [];
    const { name, sizeLimitBytes, uid, gid } = source;
    return [{ target: paths.tmpfs(name), sizeBytes: sizeLimitBytes, mode: '0777', uid, gid }];
  });
  if (memory.length > 0) await ensureTmpfs(shim, memory);
  return files.filter(isRule).map(({ file, value }) => ({
    ...{ op: 'write', path: join(devicesDir!, file) },
    bytes: Buffer.from(value),
  }));
}

const messagePath = (paths: PodPaths, id: ContainerId) => join(paths.messages, containerKey(id));

async function launch(
  context: ContainerContext,
  { spec, config, paths, shim, other }: Starting,
  own: readonly Op[],
): Promise<void> {
  const owner = config.linux?.uidMappings?.[0]?.hostID;
  const directory = paths.container(spec.id);
  const layers = [mountTargets(context.dirs), ...spec.image.layers];
  const root = planOverlay({ directory, mountPoints: mountPoints(context.dirs), layers, owner });
  const { place, cgroup2Dir } = placeOf(context, { id: spec.id, spec: config, root });
  if (other) others.writeBundle(other, { spec: config, place });
  const ops = other
    ? others.planCreate(other, { spec: config, place })
    : [...own, ...planBesides(spec), ...planContainer(config, place)];
  try {
    await shim.start({
      container: containerKey(spec.id),
      cgroup2Dir: other ? undefined : cgroup2Dir,
      logPath: spec.logPath,
      logMaxBytes: context.logLimits.maxBytes,
      logMaxFiles: context.logLimits.maxFiles,
      ...planRequest(config, { id: spec.id.name, status: 'creating', bundle: directory }),
      ...(other && { namespaces: ['mount'] }),
      stdin: spec.stdin,
      owner: ownerOf(config),
      ops,
    });
  } catch (error) {
    if (error instanceof OpError)
      throw others.otherFailure(other, error) ?? startFailure(ops, error);
    throw new ContainerError('RunContainerError', `starting ${spec.id.name}`, { cause: error });
  }
}

/** By the shim's own descriptor of that process: another one may have its number by now. */
const planBesides = ({ besides }: ContainerSpec): readonly Op[] =>
  besides ? [{ op: 'enter-container', container: containerKey(besides), namespaces: ['pid'] }] : [];

/** What of a container is left on disk and in the cgroup tree once nothing of it runs. */
async function discard(context: ContainerContext, id: ContainerId, paths: PodPaths): Promise<void> {
  const other = others.otherContainer(context.dirs, id);
  const shim = other && (await context.shims.get(id.uid));
  if (other) await shim?.run(others.planDelete(other)).catch(unlessRefused);
  const directory = paths.container(id);
  await Promise.all([
    context.cgroups.remove(paths.containerCgroup(id)),
    ...['upper', 'work'].map((name) => removeDirectory(join(directory, name))),
  ]);
  await removeDirectory(directory);
}

/** What another runtime didn't remove is what the group's removal kills. */
function unlessRefused(error: unknown): void {
  if (!(error instanceof OpError)) throw error;
}

async function list(context: ContainerContext, uid: string): Promise<readonly Container[]> {
  const paths = podPaths(context.dirs, uid);
  const shim = await context.shims.get(uid);
  const found = shim ? await shim.list().catch(unlessLost) : undefined;
  const all = found
    ? found.map((each) => ({ ...each, lost: false }))
    : await rememberedContainers(context, uid);
  const known = all.flatMap((each) => {
    const id = parseContainerKey(uid, each.container);
    return id ? [{ each, id }] : [];
  });
  const inOrder = known.toSorted(
    (a, b) => a.each.startedAtMs - b.each.startedAtMs || a.id.attempt - b.id.attempt,
  );
  return Promise.all(
    inOrder.map(async ({ each: { exit, pid, startedAtMs, lost }, id }): Promise<Container> => {
      if (exit === undefined)
        return { id, state: lost ? 'lost' : 'running', pid, startedAtMs, exit };
      const oomKilled = (await context.cgroups.oomKills(paths.containerCgroup(id))) > 0;
      const message = shim && readTerminationLog(inShim(shim, messagePath(paths, id)));
      return { id, state: 'exited', pid, startedAtMs, exit: { ...exit, oomKilled, message } };
    }),
  );
}

/** Without a shim: exits are on disk, and whoever has no exit was lost with it. */
async function rememberedContainers({ dirs }: ContainerContext, uid: string) {
  const paths = podPaths(dirs, uid);
  const exits = new Map((await readExits(paths.run)).map((exit) => [exit.container, exit]));
  return records.recordedContainers(dirs, uid).map((container) => {
    const exit = exits.get(container);
    if (exit) return { ...exit, lost: false };
    const record = records.readContainerRecord(join(paths.containers, container));
    const startedAtMs = record?.startedAtMs ?? 0;
    return { container, pid: 0, startedAtMs, exit: undefined, lost: true };
  });
}

async function remove(context: ContainerContext, id: ContainerId): Promise<void> {
  const paths = podPaths(context.dirs, id.uid);
  const shim = await context.shims.get(id.uid);
  const found = (await shim?.list())?.find(({ container }) => container === containerKey(id));
  if (found && !found.exit)
    throw new ContainerError('RunContainerError', `container ${id.name} is running`);
  removeLogs(paths.container(id));
  if (shim) rmSync(inShim(shim, messagePath(paths, id)), { force: true });
  await shim?.forget(containerKey(id));
  rmSync(join(paths.run, 'exits', containerKey(id)), { force: true });
  await discard(context, id, paths);
}

/** The file and what it was rotated to: `1.log`, `1.log.1` … */
function removeLogs(containerDirectory: string): void {
  const record = records.readContainerRecord(containerDirectory);
  if (record === undefined) return;
  const { dir, base } = parse(record.logPath);
  const names = ifPresent(() => readdirSync(dir)) ?? [];
  for (const name of names.filter((each) => each === base || each.startsWith(`${base}.`)))
    rmSync(join(dir, name), { force: true });
}

/** Ids of the images that containers of any pod stand on, ended ones that are kept too. */
export async function imagesInUse(dirs: RuntimeDirectories): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  for (const uid of records.recordedSandboxes(dirs))
    for (const name of records.recordedContainers(dirs, uid)) {
      const record = records.readContainerRecord(join(podPaths(dirs, uid).containers, name));
      if (record) ids.add(record.imageId);
    }
  return ids;
}
