import { join } from 'node:path';
import type { ExecSession, Shim } from '../kernel/shim.ts';
import type { ContainerExec, ContainerId } from '../ports.ts';
import { ContainerError } from './container-error.ts';
import type { ContainerContext } from './containers.ts';
import type { OciProcess } from './oci-config.ts';
import { planExec } from './operations.ts';
import { containerKey, podPaths } from './pod-paths.ts';
import { readContainerRecord, readSandboxRecord } from './records.ts';
import { withReason } from './session-end.ts';
import { startFailure } from './start-failure.ts';

/** A process beside the container's first one, with its user, rights, environment and limits. */
export async function execInContainer(
  context: ContainerContext,
  id: ContainerId,
  request: ContainerExec,
): Promise<ExecSession> {
  const paths = podPaths(context.dirs, id.uid);
  const container = containerKey(id);
  const shim = await shimRunning(context, id);
  const record = await readContainerRecord(paths.container(id));
  if (!record) throw notRunning(id);
  const first = record.process;
  const attach = context.cgroups
    .directories(paths.containerCgroup(id))
    .map(({ path }) => join(path, 'cgroup.procs'));
  const ops = planExec(besides(first, request), {
    container,
    attach,
    joins: record.joins,
    seccomp: record.seccomp ? context.filters.get(first.capabilities) : undefined,
  });
  const { stdin, terminal } = request;
  const rootId = (await readSandboxRecord(paths))?.userNamespace?.firstId ?? 0;
  const owner = rootId + first.user.uid;
  const session = await shim.exec({ container, ops, stdin, terminal, owner });
  return withReason(session, (error) => startFailure(ops, error));
}

/** The container's first process itself. */
export async function attachToContainer(
  context: ContainerContext,
  id: ContainerId,
  stdin: boolean,
): Promise<ExecSession> {
  const shim = await shimRunning(context, id);
  const session = await shim.attach(containerKey(id), stdin);
  return withReason(session, ({ code }) => (code === 'ENOBUFS' ? tooSlow(id) : notRunning(id)));
}

async function shimRunning({ shims }: ContainerContext, id: ContainerId): Promise<Shim> {
  const shim = await shims.get(id.uid);
  const found = (await shim?.list())?.find(({ container }) => container === containerKey(id));
  if (!shim || !found || found.exit) throw notRunning(id);
  return shim;
}

const tooSlow = ({ name }: ContainerId) =>
  new ContainerError(
    'RunContainerError',
    `detached from container ${name}: its output was not read in time`,
  );

const notRunning = ({ name }: ContainerId) =>
  new ContainerError('RunContainerError', `container ${name} is not running`);

function besides(first: OciProcess, { command, terminal }: ContainerExec): OciProcess {
  const { env } = first;
  const hasTerm = env.some((entry) => entry.startsWith('TERM='));
  return {
    ...first,
    terminal: terminal !== undefined,
    args: command,
    env: terminal && !hasTerm ? [...env, 'TERM=xterm'] : env,
  };
}
