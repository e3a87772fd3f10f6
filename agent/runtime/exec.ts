import { join } from 'node:path';
import { OpError } from '../kernel/op-error.ts';
import type { ExecSession } from '../kernel/shim.ts';
import type { ContainerExec, ContainerId } from '../ports.ts';
import { ContainerError } from './container-error.ts';
import type { ContainerContext } from './containers.ts';
import type { OciProcess } from './oci-config.ts';
import { planExec } from './operations.ts';
import { containerKey, podPaths } from './pod-paths.ts';
import { readContainerRecord } from './records.ts';
import { startFailure } from './start-failure.ts';

/** A process beside the container's first one, with its user, rights, environment and limits. */
export async function execInContainer(
  context: ContainerContext,
  id: ContainerId,
  request: ContainerExec,
): Promise<ExecSession> {
  const paths = podPaths(context.dirs, id.uid);
  const container = containerKey(id);
  const shim = await context.shims.get(id.uid);
  const found = (await shim?.list())?.find((each) => each.container === container);
  const record = await readContainerRecord(paths.container(id));
  if (!shim || !found || found.exit || !record)
    throw new ContainerError('RunContainerError', `container ${id.name} is not running`);
  const first = record.process;
  const attach = context.cgroups
    .directories(paths.containerCgroup(id))
    .map(({ path }) => join(path, 'cgroup.procs'));
  const ops = planExec(besides(first, request), {
    container,
    attach,
    joins: record.joins,
    terminal: request.terminal !== undefined,
    seccomp: record.seccomp ? context.filters.get(first.capabilities) : undefined,
  });
  const { stdin, terminal } = request;
  const session = await shim.exec({ container, ops, stdin, terminal });
  const exited = session.exited.catch((error: unknown) => {
    throw error instanceof OpError ? startFailure(ops, error) : error;
  });
  exited.catch(() => undefined); // who hangs up may not ask how it ended
  return { ...session, exited };
}

function besides(first: OciProcess, { command, terminal }: ContainerExec): OciProcess {
  const { env } = first;
  const hasTerm = env.some((entry) => entry.startsWith('TERM='));
  return { ...first, args: command, env: terminal && !hasTerm ? [...env, 'TERM=xterm'] : env };
}
