import { setFrozen } from '../kernel/cgroup-end.ts';
import { CgroupError } from '../kernel/cgroup-trees.ts';
import { applyCgroupPlan } from '../kernel/cgroups.ts';
import { type OciResources, parseOciResources } from '../oci/oci-spec.ts';
import { planCgroup } from '../oci/plan-cgroup.ts';
import { type Call, CommandError, type Given, readCallers } from './call.ts';
import { isFrozen, versionOf } from './container-cgroup.ts';
import { find, isAlive, type Stored, saveResources } from './container-state.ts';
import { type Options, wholeNumber } from './options.ts';

export async function pause(call: Call, { id }: Given<'pause'>): Promise<void> {
  const stored = running(call, id);
  if (isFrozen(stored.record.cgroups))
    throw new CommandError('container not running: it is paused');
  await freezeAll(call, stored, true);
}

export async function resume(call: Call, { id }: Given<'resume'>): Promise<void> {
  const stored = running(call, id);
  if (!isFrozen(stored.record.cgroups)) throw new CommandError('container not paused');
  await freezeAll(call, stored, false);
}

function running(call: Call, id: string): Stored {
  const stored = find(call.root, id);
  if (!isAlive(stored)) throw new CommandError('container not running');
  return stored;
}

export async function freezeAll(call: Call, { record }: Stored, frozen: boolean): Promise<void> {
  try {
    await setFrozen(record.cgroups, frozen, call.clock);
  } catch (cause) {
    throw cause instanceof CgroupError ? new CommandError(cause.message) : cause;
  }
}

/** Changes limits of what runs; what isn't named stays. */
export async function update(call: Call, { options, id }: Given<'update'>): Promise<void> {
  const stored = find(call.root, id);
  if (!isAlive(stored)) throw new CommandError('container not running');
  const { cgroups } = stored.record;
  const file = options.resources;
  const resources =
    file === undefined ? named(options) : parseOciResources(await readCallers(call, file));
  try {
    applyCgroupPlan(planCgroup(resources, versionOf(cgroups)), cgroups);
  } catch (cause) {
    throw cause instanceof CgroupError ? new CommandError('updating limits', { cause }) : cause;
  }
  saveResources(stored, resources);
}

/** Option, and where its number goes. */
const numbers = {
  'blkio-weight': ['blockIO', 'weight'],
  'cpu-period': ['cpu', 'period'],
  'cpu-quota': ['cpu', 'quota'],
  'cpu-burst': ['cpu', 'burst'],
  'cpu-rt-period': ['cpu', 'realtimePeriod'],
  'cpu-rt-runtime': ['cpu', 'realtimeRuntime'],
  'cpu-share': ['cpu', 'shares'],
  'cpu-idle': ['cpu', 'idle'],
  memory: ['memory', 'limit'],
  'memory-reservation': ['memory', 'reservation'],
  'memory-swap': ['memory', 'swap'],
  'pids-limit': ['pids', 'limit'],
} as const;

function named(options: Options<'update'>): OciResources {
  const resources: Record<string, Record<string, number | string>> = {};
  for (const [option, [group, field]] of Object.entries(numbers)) {
    const text = options[option as keyof typeof numbers];
    if (text !== undefined) (resources[group] ??= {})[field] = bytesOf(text, option);
  }
  const { 'cpuset-cpus': cpus, 'cpuset-mems': mems } = options;
  if (cpus ?? mems)
    resources['cpu'] = { ...resources['cpu'], ...(cpus && { cpus }), ...(mems && { mems }) };
  return parseOciResources(JSON.stringify(resources));
}

/** "512m" */
function bytesOf(text: string, option: string): number {
  const [, digits = text, unit = ''] = /^(\d+)([bkmgt])b?$/i.exec(text) ?? [];
  return wholeNumber(digits, option) * 1024 ** 'bkmgt'.indexOf(unit.toLowerCase() || 'b');
}
