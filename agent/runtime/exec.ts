import { rmSync } from 'node:fs';
import type { ExecSession } from '../kernel/shim.ts';
import type { Shim } from '../kernel/shim-client.ts';
import type { OciProcess } from '../oci/oci-spec.ts';
import { planExec } from '../oci/plan-container.ts';
import type { ContainerExec, ContainerId } from '../ports.ts';
import { ContainerError, startFailure, withReason } from './container-error.ts';
import { type ContainerContext, ownerOf, placeOf } from './container-place.ts';
import { otherContainer, otherFailure, planOtherExec } from './other-runtime.ts';
import { containerKey, podPaths } from './pod-paths.ts';
import { readContainerRecord } from './records.ts';

/** A process beside the container's first one, with its user, rights, environment and limits. */
export async function execInContainer(
  context: ContainerContext,
  id: ContainerId,
  request: ContainerExec,
): Promise<ExecSession> {
  const container = containerKey(id);
  const shim = await shimRunning(context, id);
  const { spec } = readContainerRecord(podPaths(context.dirs, id.uid).container(id)) ?? {};
  if (!spec?.process) throw notRunning(id);
  const { place, cgroup2Dir } = placeOf(context, { id, spec });
  const { stdin, terminal } = request;
  const process = besides(spec.process, request);
  const other = otherContainer(context.dirs, id);
  if (other) {
    if (terminal) throw noTerminal(id);
    const { ops, directory } = planOtherExec(other, { process, place });
    const asked = shim.exec({ container, ops, stdin, terminal, owner: ownerOf(spec) });
    const remove = () => rmSync(directory, { recursive: true, force: true });
    asked.then(({ exited }) => exited).then(remove, remove);
    const session = await asked;
    return withReason(session, (error) => otherFailure(other, error) ?? startFailure(ops, error));
  }
  const ops = planExec(process, { container, linux: spec.linux ?? {}, place });
  const owner = ownerOf(spec);
  const session = await shim.exec({ container, ops, stdin, terminal, owner, cgroup2Dir });
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

const failure = ({ name }: ContainerId, why: string) =>
  new ContainerError('RunContainerError', `container ${name} ${why}`);

const tooSlow = (id: ContainerId) => failure(id, 'is detached: its output was not read in time');
const noTerminal = (id: ContainerId) => failure(id, 'has a RuntimeClass: no terminal there yet');
const notRunning = (id: ContainerId) => failure(id, 'is not running');

function besides(first: OciProcess, { command, terminal }: ContainerExec): OciProcess {
  const { env = [] } = first;
  const hasTerm = env.some((entry) => entry.startsWith('TERM='));
  return {
    ...first,
    terminal: terminal !== undefined,
    args: command,
    env: terminal && !hasTerm ? [...env, 'TERM=xterm'] : env,
  };
}
