import { resolve } from 'node:path';
import type { Op } from '../kernel/op.ts';
import { OpError } from '../kernel/op-error.ts';
import { allCapabilities, capabilityBit } from '../oci/capability.ts';
import { hostId } from '../oci/id-maps.ts';
import type { OciProcess, OciSpec } from '../oci/oci-spec.ts';
import { startProblem } from '../oci/start-problem.ts';
import { readImageFile } from '../runtime/image-files.ts';
import { type Call, CommandError } from './call.ts';
import { wholeNumber } from './options.ts';

/** With a complete process. */
export function completed(call: Call, spec: OciSpec, bundle: string): OciSpec {
  const root = resolve(bundle, spec.root?.path ?? '');
  return { ...spec, ...(spec.process && { process: completeProcess(call, spec.process, root) }) };
}

/** What a process gets that nobody wrote down, and without what it can't get. `root`: where its root file system is. */
export function completeProcess(call: Call, process: OciProcess, root: string): OciProcess {
  const { LISTEN_FDS: count } = call.front.called.env;
  // Also what systemd hands on to the caller: sd_listen_fds(3).
  const handed = count === undefined ? [] : [`LISTEN_FDS=${count}`, 'LISTEN_PID=1'];
  // Of two of one name the later one counts.
  const { env: own = [] } = process;
  const env = [...own, ...handed];
  const byName = new Map(env.map((entry) => [entry.split('=', 1)[0], entry]));
  return withHome({ ...process, env: [...byName.values()] }, root);
}

/** Programs expect it: the user's directory, as /etc/passwd of the root has it. */
function withHome(process: OciProcess, root: string): OciProcess {
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
  // The kernel has in the ambient set only what is inheritable.
  const { ambient = [], inheritable = [] } = process.capabilities ?? {};
  const lost = ambient.filter((name) => known(name) && !inheritable.includes(name));
  if (unknown.length + lost.length === 0) return process;
  if (unknown.length > 0)
    call.warn(`ignoring unknown or unavailable capabilities: ${unknown.join(', ')}`);
  if (lost.length > 0) call.warn(`can't raise ambient capability: ${lost.join(', ')}`);
  const kept = sets.map(([set, names = []]) => {
    const able = names.filter(known);
    return [set, set === 'ambient' ? able.filter((name) => !lost.includes(name)) : able] as const;
  });
  return { ...process, capabilities: Object.fromEntries(kept) };
}

/** Engines look for the words of a failed exec. */
export function inTheirWords(ops: readonly Op[]) {
  return (error: unknown): never => {
    const problem = error instanceof OpError ? startProblem(ops, error) : undefined;
    throw problem === undefined ? error : new CommandError(problem);
  };
}

/** As native/task.h has it. */
const MAX_HANDED = 253;

interface StreamOptions {
  readonly 'console-socket'?: string | undefined;
  readonly 'preserve-fds'?: string | undefined;
  readonly detach?: boolean | undefined;
}

/** Where a process' terminal goes, which of the caller's descriptors it gets, and who owns them. Throws CommandError. */
export function streamsOf(
  { front: { called } }: Call,
  { linux, process }: Pick<OciSpec, 'linux' | 'process'>,
  { 'console-socket': socket, 'preserve-fds': more = '0', detach }: StreamOptions,
) {
  const preserveFds = Number(called.env['LISTEN_FDS'] ?? 0) + wholeNumber(more, 'preserve-fds');
  if (!(preserveFds >= 0 && preserveFds <= MAX_HANDED))
    throw new CommandError(`--preserve-fds: at most ${MAX_HANDED}`);
  if (detach && process?.terminal && socket === undefined)
    throw new CommandError('a terminal of what is detached needs a --console-socket');
  if (socket !== undefined && !process?.terminal)
    throw new CommandError('--console-socket: the process has no terminal');
  return {
    preserveFds,
    console: socket === undefined ? undefined : resolve(called.directory, socket),
    owner: hostId(linux?.uidMappings, process?.user?.uid ?? 0, 'process.user.uid'),
  };
}
