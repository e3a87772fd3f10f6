import { readFileSync, writeFileSync } from 'node:fs';
import { constants, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { deferred } from '../../base/deadline.ts';
import { ifPresent } from '../../base/durable-file.ts';
import { errorChain } from '../../base/error-chain.ts';
import { removeGroup } from '../kernel/cgroup-end.ts';
import type { CgroupDirectory } from '../kernel/cgroup-trees.ts';
import { parseMountinfo } from '../kernel/mountinfo.ts';
import { openRouteNetlink } from '../kernel/netlink.ts';
import { OpError } from '../kernel/op-error.ts';
import { findLink, listAddresses } from '../kernel/rtnetlink.ts';
import { allCapabilities, capabilityBit } from '../oci/capability.ts';
import { hostId } from '../oci/id-maps.ts';
import type { OciPlace } from '../oci/oci-place.ts';
import { type OciProcess, type OciSpec, parseOciSpec } from '../oci/oci-spec.ts';
import { planContainer } from '../oci/plan-container.ts';
import { hooksAtSyncs } from '../oci/plan-hook.ts';
import { planRequest } from '../oci/plan-request.ts';
import { planSpaces } from '../oci/plan-spaces.ts';
import { startProblem } from '../oci/start-problem.ts';
import { readImageFile } from '../runtime/image-files.ts';
import type { Call } from './call.ts';
import { CommandError } from './command-error.ts';
import { birthplace, makeGroup } from './container-cgroup.ts';
import {
  type ContainerRecord,
  claim,
  forget,
  processState,
  type Stored,
  saveConfig,
  saveRecord,
} from './container-state.ts';
import { first, type HookSubject, runHooks } from './hooks.ts';
import { type Options, wholeNumber } from './options.ts';

/** A container that waits to be started. `front` may end then: it waits on. */
interface Created extends HookSubject {
  readonly pid: number;
  /** Lets it go on; resolves when its program runs. */
  readonly goOn: () => Promise<void>;
}

export async function create(call: Call, options: Options<'create'>, id: string): Promise<void> {
  await createContainer(call, options, id);
}

export async function createContainer(
  call: Call,
  options: Options<'create'>,
  id: string,
): Promise<Created> {
  const bundle = resolve(call.front.called.directory, options.bundle ?? '.');
  const file = resolve(call.front.called.directory, options.config ?? join(bundle, 'config.json'));
  const text = ifPresent(() => readFileSync(file, 'utf8'));
  if (text === undefined) throw new CommandError(`${file}: no such file or directory`);
  const config = parseOciSpec(text);
  const process = config.process && completed(call, config.process, rootOf(config, bundle));
  const spec = { ...config, ...(process && { process }) };
  const directory = claim(call.root, id);
  let cgroups: readonly CgroupDirectory[] = [];
  try {
    const created = new Date(call.clock.now()).toISOString();
    const record = {
      id,
      pid: 0,
      startTicks: 0,
      bundle,
      created,
      owner: userInfo().username,
      cgroups,
    };
    saveConfig(directory, spec);
    saveRecord(directory, record);
    cgroups = await makeGroup(call, { id, spec });
    const place = placeFor(call, { spec, bundle, cgroups, gate: directory });
    const subject = { id, bundle, directory, spec, place };
    const made = await startWaiting(call, subject, options, (pid, creating) =>
      saveRecord(directory, { ...record, cgroups, ...identify(pid), creating }),
    );
    if (options['pid-file'] !== undefined)
      writeFileSync(resolve(call.front.called.directory, options['pid-file']), String(made.pid));
    return made;
  } catch (error) {
    await call.front.kill(first, constants.signals.SIGKILL);
    await removeGroup(cgroups, call.clock).catch((cause: unknown) => call.warn(errorChain(cause)));
    forget({ directory });
    throw error;
  }
}

function identify(pid: number): Pick<ContainerRecord, 'pid' | 'startTicks'> {
  return { pid, startTicks: processState(pid)?.startTicks ?? 0 };
}

/** Also what systemd hands on to the caller: sd_listen_fds(3). */
function completed(call: Call, process: OciProcess, root: string): OciProcess {
  const { LISTEN_FDS: count } = call.front.called.env;
  const handed = count === undefined ? [] : [`LISTEN_FDS=${count}`, 'LISTEN_PID=1'];
  const grantedOnly = withHome(grantable(call, process), root);
  return { ...grantedOnly, env: [...(grantedOnly.env ?? []), ...handed] };
}

const rootOf = ({ root }: OciSpec, bundle: string) => resolve(bundle, root?.path ?? '');

/** Programs expect it: the user's directory, as /etc/passwd of the root has it. */
export function withHome(process: OciProcess, root: string): OciProcess {
  const { env = [], user } = process;
  if (env.some((entry) => /^HOME=./.test(entry))) return process;
  const lines = readImageFile([root], '/etc/passwd')
    .split('\n')
    .map((line) => line.split(':'));
  const home = lines.find(([, , uid]) => uid === String(user?.uid ?? 0))?.[5] || '/';
  return {
    ...process,
    env: [...env.filter((entry) => !entry.startsWith('HOME=')), `HOME=${home}`],
  };
}

/** What nobody here can have is left out, with a warning: config.md of the specification, "capabilities". */
export function grantable(call: Call, process: OciProcess): OciProcess {
  const sets = Object.entries(process.capabilities ?? {});
  const known = (name = '') =>
    allCapabilities.includes(name.replace(/^CAP_/, '')) &&
    (call.capabilities & capabilityBit(name.replace(/^CAP_/, ''))) !== 0n;
  const unknown = [...new Set(sets.flatMap(([, names = []]) => names))].filter(
    (name) => !known(name),
  );
  if (unknown.length === 0) return process;
  call.warn(`ignoring unknown or unavailable capabilities: ${unknown.join(', ')}`);
  const kept = sets.map(([set, names = []]) => [set, names.filter(known)] as const);
  return { ...process, capabilities: Object.fromEntries(kept) };
}

export function placeFor(
  call: Call,
  of: {
    readonly spec: OciSpec;
    readonly bundle: string;
    readonly cgroups: readonly CgroupDirectory[];
    readonly gate?: string;
  },
): OciPlace {
  const { spec, bundle, cgroups, gate } = of;
  const { seccomp, netDevices } = spec.linux ?? {};
  return {
    bundle,
    root: undefined,
    rootMount: mountOf(rootOf(spec, bundle)),
    cgroups,
    attach: birthplace(cgroups).attach,
    filter: seccomp && call.compile(seccomp),
    modules: call.modules,
    ...(netDevices && { links: linksNamed(Object.keys(netDevices)) }),
    ...(gate !== undefined && { gate }),
    lockDevices: false,
  };
}

/** The mount that a path lies on. */
function mountOf(path: string): string {
  const mounts = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));
  const above = mounts
    .map(({ mount }) => mount)
    .filter((mount) => `${path}/`.startsWith(mount === '/' ? '/' : `${mount}/`));
  return above.reduce((longest, mount) => (mount.length > longest.length ? mount : longest), '/');
}

function linksNamed(names: readonly string[]): NonNullable<OciPlace['links']> {
  const netlink = openRouteNetlink();
  try {
    const addresses = listAddresses(netlink);
    const found = names.flatMap((name) => {
      const link = findLink(netlink, name);
      const own = addresses.filter(({ linkIndex }) => linkIndex === link?.index);
      return link ? [[name, { index: link.index, addresses: own }] as const] : [];
    });
    return Object.fromEntries(found);
  } finally {
    netlink.close();
  }
}

/** Resolves when the container waits at its gate. */
async function startWaiting(
  call: Call,
  subject: HookSubject,
  options: Options<'create'>,
  remember: (pid: number, creating: boolean) => void,
): Promise<Created> {
  const { spec, place, id, bundle } = subject;
  const { front } = call;
  for (const ops of planSpaces(spec)) await front.run(ops);
  const ops = planContainer(spec, place);
  const waits = deferred<number>();
  const goOn = deferred<void>();
  const early = hooksAtSyncs(spec)
    .flat()
    .filter((kind) => kind !== 'startContainer');
  const steps = [
    ...(early.length > 0 ? ['hooks' as const] : []),
    'wait' as const,
    ...(spec.hooks?.startContainer ? ['start hooks' as const] : []),
  ];
  const onSync = async ({ pid }: { readonly pid: number }) => {
    const step = steps.shift();
    if (step === 'hooks') {
      remember(pid, true);
      for (const kind of early)
        await runHooks(call, subject, {
          kind,
          status: kind === 'prestart' ? 'created' : 'creating',
          pid,
        });
    } else if (step === 'wait') {
      remember(pid, false);
      waits.resolve(pid);
      await goOn.promise;
    } else {
      await runHooks(call, subject, { kind: 'startContainer', status: 'created', pid });
    }
  };
  const started = front
    .start({
      container: first,
      cgroup2Dir: birthplace(place.cgroups).cgroup2Dir,
      ...planRequest(spec, { id, status: 'creating', bundle }),
      console: consoleOf(call, spec.process, options),
      preserveFds: handedOn(call, options['preserve-fds']),
      owner: ownerOf(spec, spec.process),
      onSync,
      ops,
    })
    .then(() => undefined, inTheirWords(ops));
  started.catch(() => undefined);
  const pid = await Promise.race([waits.promise, started.then(() => 0)]);
  return {
    ...subject,
    pid,
    goOn() {
      goOn.resolve();
      return started;
    },
  };
}

/** As native/task.h has it. */
const MAX_HANDED = 253;

/** Of the caller's descriptors, from 3 on. */
export function handedOn({ front }: Call, more = '0'): number {
  const count = Number(front.called.env['LISTEN_FDS'] ?? 0) + wholeNumber(more, 'preserve-fds');
  if (!(count >= 0 && count <= MAX_HANDED))
    throw new CommandError(`--preserve-fds: at most ${MAX_HANDED}`);
  return count;
}

/** Engines look for the words of a failed exec. */
export function inTheirWords(ops: Parameters<typeof startProblem>[0]) {
  return (error: unknown): never => {
    const problem = error instanceof OpError ? startProblem(ops, error) : undefined;
    throw problem === undefined ? error : new CommandError(problem);
  };
}

/** Throws CommandError for a terminal that nobody takes, or a socket that nobody sends to. */
export function consoleOf(
  { front }: Call,
  process: OciProcess | undefined,
  options: {
    readonly 'console-socket'?: string | undefined;
    readonly detach?: boolean | undefined;
  },
): string | undefined {
  const path = options['console-socket'];
  if (path !== undefined && !process?.terminal)
    throw new CommandError('cannot use console socket if no terminal is asked for');
  return path === undefined ? undefined : resolve(front.called.directory, path);
}

/** Who has its streams, as the host counts. */
export const ownerOf = ({ linux }: OciSpec, process: OciProcess | undefined): number =>
  hostId(linux?.uidMappings, process?.user?.uid ?? 0, 'process.user.uid');

/** What later calls need of a container that is there. */
export function subjectOf(call: Call, { directory, record, spec }: Stored): HookSubject {
  const { id, bundle, cgroups } = record;
  const there = joined(spec, record.pid);
  return { id, bundle, directory, spec: there, place: placeFor(call, { spec, bundle, cgroups }) };
}

/** The namespaces that were new are the first process' own. */
function joined(spec: OciSpec, pid: number): OciSpec {
  const held: Readonly<Record<string, string>> = {
    user: 'user',
    network: 'net',
    ipc: 'ipc',
    uts: 'uts',
  };
  const namespaces = spec.linux?.namespaces?.map((space) =>
    held[space.type] && !space.path
      ? { ...space, path: `/proc/${pid}/ns/${held[space.type]}` }
      : space,
  );
  return { ...spec, linux: { ...spec.linux, ...(namespaces && { namespaces }) } };
}
