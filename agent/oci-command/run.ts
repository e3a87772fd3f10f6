import { constants } from 'node:os';
import { planContainer, planRootless } from '../oci/plan-container.ts';
import type { Call, Given } from './call.ts';
import { CommandError } from './command-error.ts';
import { find, isAlive, isWaiting, leaveGate, type Stored } from './container-state.ts';
import { createContainer } from './create.ts';
import { removeStopped } from './end.ts';
import { first, type HookSubject, runHooks } from './hooks.ts';
import { subjectOf } from './place.ts';
import { inTheirWords } from './process.ts';

/** Creates and starts; unless detached, to its end, of which nothing stays. Gives its exit code. */
export async function run(call: Call, given: Given<'run'>): Promise<number> {
  const { options, id } = given;
  const made = await createContainer(call, given);
  const stored = find(call.root, id);
  try {
    await made.goOn();
    leaveGate(stored);
  } catch (error) {
    await removeStopped(call, stored);
    throw error;
  }
  await afterStart(call, made, stored);
  if (options.detach) return 0;
  const { exitCode } = await call.front.exitOf(first);
  if (!options.keep) await removeStopped(call, stored);
  return exitCode;
}

/** Lets go on what an earlier call has created. */
export async function start(call: Call, { id }: Given<'start'>): Promise<void> {
  const stored = find(call.root, id);
  const { directory, record, spec } = stored;
  if (!isAlive(stored)) throw new CommandError('cannot start a container that has stopped');
  if (!isWaiting(stored)) throw new CommandError('cannot start an already running container');
  const subject = subjectOf(call, stored);
  const { pid } = record;
  const plan = call.power === 'user' ? planRootless : planContainer;
  const ops = plan(spec, { ...subject.place, gate: directory });
  const onSync = () => runHooks(call, subject, { kind: 'startContainer', status: 'created', pid });
  await call.front.meet(first, { pid, gate: directory, onSync }).catch(inTheirWords(ops));
  leaveGate(stored);
  await afterStart(call, subject, stored);
}

/** A hook that fails ends the container: runtime.md, "Lifecycle". */
async function afterStart(call: Call, subject: HookSubject, stored: Stored): Promise<void> {
  try {
    await runHooks(call, subject, { kind: 'poststart', status: 'running', pid: stored.record.pid });
  } catch (error) {
    await call.front.kill(first, constants.signals.SIGKILL);
    await removeStopped(call, stored);
    throw error;
  }
}
