import { readFileSync, writeFileSync } from 'node:fs';
import { constants, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { ifPresent } from '../../base/durable-file.ts';
import { errorChain } from '../../base/error-chain.ts';
import { removeGroup } from '../kernel/cgroup-end.ts';
import type { CgroupDirectory } from '../kernel/cgroup-trees.ts';
import { type OciSpec, parseOciSpec } from '../oci/oci-spec.ts';
import { planContainer, planRootless } from '../oci/plan-container.ts';
import { type HookKind, hooksAtSyncs } from '../oci/plan-hook.ts';
import { planRequest } from '../oci/plan-request.ts';
import { planSpaces } from '../oci/plan-spaces.ts';
import { type Call, CommandError, type Given } from './call.ts';
import { birthplace, ensureGroup, makeGroup } from './container-cgroup.ts';
import * as state from './container-state.ts';
import { removeStopped } from './end.ts';
import { first, type HookSubject, runHooks } from './hooks.ts';
import { placeFor, subjectOf } from './place.ts';
import { completed, grantable, inTheirWords, streamsOf } from './process.ts';
import { startScope } from './systemd-scope.ts';

/** Creates and starts; unless detached, to its end, of which nothing stays. Gives its exit code. */
export async function run(call: Call, given: Given<'run'>): Promise<number> {
  const { options, id } = given;
  const made = await createContainer(call, given);
  const stored = state.find(call.root, id);
  try {
    await made.goOn();
    state.leaveGate(stored);
  } catch (error) {
    await removeStopped(call, stored);
    throw error;
  }
  await afterStart(call, made, stored);
  if (options.detach) return 0;
  const exitCode = await call.front.outlive(first);
  if (!options.keep) await removeStopped(call, stored);
  return exitCode;
}

/** Lets go on what an earlier call has created. */
export async function start(call: Call, { id }: Given<'start'>): Promise<void> {
  const stored = state.find(call.root, id);
  const { directory, record, spec } = stored;
  if (!state.isAlive(stored)) throw new CommandError('cannot start a container that has stopped');
  if (!state.isWaiting(stored)) throw new CommandError('cannot start an already running container');
  const subject = subjectOf(call, stored);
  const { pid } = record;
  const plan = call.power === 'user' ? planRootless : planContainer;
  const ops = plan(spec, { ...subject.place, gate: directory });
  const onSync = () => runHooks(call, subject, { kind: 'startContainer', status: 'created', pid });
  await call.front.meet(first, { pid, gate: directory, onSync }).catch(inTheirWords(ops));
  state.leaveGate(stored);
  await afterStart(call, subject, stored);
}

/** A hook that fails ends the container: runtime.md, "Lifecycle". */
async function afterStart(call: Call, subject: HookSubject, stored: state.Stored): Promise<void> {
  try {
    await runHooks(call, subject, { kind: 'poststart', status: 'running', pid: stored.record.pid });
  } catch (error) {
    await call.front.kill(first, constants.signals.SIGKILL);
    await removeStopped(call, stored);
    throw error;
  }
}

/** A container that waits to be started. `front` may end then: it waits on. */
interface Created extends HookSubject {
  readonly pid: number;
  /** Lets it go on; resolves when its program runs. */
  readonly goOn: () => Promise<void>;
}

export async function create(call: Call, given: Given<'create'>): Promise<void> {
  await createContainer(call, { ...given, options: { ...given.options, detach: true } });
}

async function createContainer(call: Call, given: Given<'run'>): Promise<Created> {
  const { options, id } = given;
  const within = (path: string) => resolve(call.front.called.directory, path);
  const bundle = within(options.bundle ?? '.');
  const spec = readConfig(call, within(options.config ?? join(bundle, 'config.json')));
  const directory = state.claim(call.root, id);
  let cgroups: readonly CgroupDirectory[] = [];
  const remember = (pid: number, creating: boolean) => {
    const created = new Date(call.clock.now()).toISOString();
    const { startTicks = 0 } = state.processState(pid) ?? {};
    const owner = ownName();
    state.saveRecord(directory, { id, pid, startTicks, bundle, created, owner, cgroups, creating });
  };
  try {
    state.saveConfig(directory, spec);
    remember(0, true);
    const scope = call.cgroups === 'systemd' ? await scopeOf(call, { id, spec }) : undefined;
    cgroups = scope
      ? await ensureGroup(call, { spec, path: scope.path, isNew: false })
      : await makeGroup(call, { id, spec });
    const place = placeFor(call, { spec, bundle, cgroups, gate: directory });
    const complete = completed(call, spec, bundle);
    const subject = { id, bundle, directory, spec: complete, place, options, remember };
    const made = await startWaiting(call, subject);
    scope?.release();
    if (options['pid-file']) writeFileSync(within(options['pid-file']), String(made.pid));
    return made;
  } catch (error) {
    await call.front.kill(first, constants.signals.SIGKILL);
    await removeGroup(cgroups, call.clock).catch((cause: unknown) => call.warn(errorChain(cause)));
    state.forget({ directory });
    throw error;
  }
}

/** Not every user has one. */
function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.());
  }
}

const scopeOf = (call: Call, { id, spec }: { readonly id: string; readonly spec: OciSpec }) =>
  startScope(spec.linux?.cgroupsPath ?? '', {
    ...{ id, isUser: call.power !== 'root', clock: call.clock },
  });

function readConfig(call: Call, file: string): OciSpec {
  const text = ifPresent(() => readFileSync(file, 'utf8'));
  if (text === undefined) throw new CommandError(`${file}: no such file or directory`);
  const spec = parseOciSpec(text);
  return { ...spec, ...(spec.process && { process: grantable(call, spec.process) }) };
}

interface Creation extends HookSubject, Pick<Given<'run'>, 'options'> {
  /** Writes down whose process it is. */
  readonly remember: (pid: number, creating: boolean) => void;
}

/** Resolves when the container waits at its gate. */
async function startWaiting(call: Call, creation: Creation): Promise<Created> {
  const { spec, place, id, bundle, options } = creation;
  for (const ops of planSpaces(spec)) await call.front.run(ops);
  const isUser = call.power === 'user';
  const ops = isUser ? planRootless(spec, place) : planContainer(spec, place);
  const waits = Promise.withResolvers<number>();
  const goOn = Promise.withResolvers<void>();
  const wait = async (pid: number) => {
    creation.remember(pid, false);
    waits.resolve(pid);
    await goOn.promise;
  };
  const steps = stepsAtSyncs(call, creation, wait);
  const started = call.front
    .start({
      container: first,
      cgroup2Dir: birthplace(place.cgroups).cgroup2Dir,
      ...planRequest(spec, { id, status: 'creating', bundle }),
      ...(isUser && { namespaces: [] }),
      ...streamsOf(call, spec, options),
      onSync: async ({ pid }) => steps.shift()?.(pid),
      ops,
    })
    .then(() => undefined, inTheirWords(ops));
  started.catch(() => undefined);
  const pid = await Promise.race([waits.promise, started.then(() => 0)]);
  const proceed = () => {
    goOn.resolve();
    return started;
  };
  return { ...creation, pid, goOn: proceed };
}

/** What is done each time that planContainer's list stops. */
function stepsAtSyncs(call: Call, creation: Creation, wait: (pid: number) => Promise<void>) {
  const early = hooksAtSyncs(creation.spec)
    .flat()
    .filter((kind) => kind !== 'startContainer');
  const hooks = async (kind: HookKind, pid: number) => {
    const isMade = kind === 'prestart' || kind === 'startContainer';
    await runHooks(call, creation, { kind, status: isMade ? 'created' : 'creating', pid });
  };
  const runEarly = async (pid: number) => {
    creation.remember(pid, true);
    for (const kind of early) await hooks(kind, pid);
  };
  const late = (pid: number) => hooks('startContainer', pid);
  return early.length > 0 ? [runEarly, wait, late] : [wait, late];
}
