import { readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { ifPresent } from '../../base/durable-file.ts';
import { errorChain } from '../../base/error-chain.ts';
import { removeGroup } from '../kernel/cgroup-end.ts';
import { spaceOf } from '../oci/plan-spaces.ts';
import { type Call, CommandError, type Given } from './call.ts';
import { isFrozen, processesIn } from './container-cgroup.ts';
import * as containers from './container-state.ts';
import { first, runHooks } from './hooks.ts';
import { freezeAll } from './limits.ts';
import { subjectOf } from './place.ts';

export async function kill(call: Call, { options, id, words }: Given<'kill'>): Promise<void> {
  const [name = 'SIGTERM'] = words;
  const signal = signalNumber(name);
  for (const each of options.regex ? matching(call, id) : [id]) {
    const stored = containers.find(call.root, each);
    // Without a pid namespace of its own the others outlive the first.
    const alone = spaceOf(stored.spec.linux ?? {}, 'pid')?.path !== '';
    if (options.all || (alone && signal === constants.signals.SIGKILL)) killAll(stored, signal);
    else await killFirst(call, stored, signal);
  }
}

/** Throws CommandError. */
function signalNumber(name: string): number {
  const number = /^\d{1,2}$/.test(name)
    ? Number(name)
    : constants.signals[`SIG${name.toUpperCase().replace(/^SIG/, '')}` as NodeJS.Signals];
  if (number === undefined || number > 64) throw new CommandError(`unknown signal "${name}"`);
  return number;
}

/** By a descriptor, so that nobody else's process can be meant. */
async function killFirst(call: Call, stored: containers.Stored, signal: number): Promise<void> {
  if (!containers.isAlive(stored)) throw new CommandError(`container not running`);
  const name = `${first}-${stored.record.id}`.slice(0, 127).replaceAll('+', '_');
  await call.front.meet(name, { pid: stored.record.pid });
  if (!containers.isAlive(stored)) throw new CommandError(`container not running`);
  await call.front.kill(name, signal);
}

function killAll({ record: { cgroups } }: containers.Stored, signal: number): void {
  for (const pid of processesIn(cgroups))
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
}

export async function remove(call: Call, { options, id }: Given<'delete'>): Promise<void> {
  for (const each of options.regex ? matching(call, id) : [id])
    await removeOne(call, options.force, each);
}

async function removeOne(call: Call, force: boolean | undefined, id: string): Promise<void> {
  const stored = containers.load(call.root, id);
  if (!stored && force)
    return containers.forget({ directory: containers.directoryOf(call.root, id) });
  if (!stored) throw new CommandError(`container "${id}" does not exist`);
  const alive = containers.isAlive(stored);
  if (alive && !force && !containers.isWaiting(stored))
    throw new CommandError(`cannot delete container ${id} that is not stopped`);
  if (alive) await end(call, stored);
  await removeStopped(call, stored);
}

/** Somebody may have put it into another group, and frozen that. */
function thawElsewhere(pid: number): void {
  const text = ifPresent(() => readFileSync(`/proc/${pid}/cgroup`, 'utf8')) ?? '';
  const own = /^\d+:freezer:(\/.+)$/m.exec(text)?.[1];
  if (own) ifPresent(() => writeFileSync(`/sys/fs/cgroup/freezer${own}/freezer.state`, 'THAWED'));
}

/** Also of what is frozen. */
async function end(call: Call, stored: containers.Stored): Promise<void> {
  await killFirst(call, stored, constants.signals.SIGKILL).catch(() => undefined);
  if (isFrozen(stored.record.cgroups)) await freezeAll(call, stored, false);
  thawElsewhere(stored.record.pid);
}

/** Whatever else of it runs ends with its group. */
export async function removeStopped(call: Call, stored: containers.Stored): Promise<void> {
  const { record } = stored;
  await removeGroup(record.cgroups, call.clock);
  await runHooks(call, subjectOf(call, stored), {
    ...{ kind: 'poststop', status: 'stopped', pid: 0 },
  }).catch((error: unknown) => call.warn(errorChain(error)));
  containers.forget(stored);
}

function matching({ root }: Call, pattern: string): readonly string[] {
  const expression = new RegExp(pattern);
  return containers.ids(root).filter((id) => expression.test(id));
}
