import type { Op } from '../kernel/op.ts';
import { capabilityMask } from './capability.ts';
import { OciError } from './oci-error.ts';
import type { OciPlace } from './oci-place.ts';
import type { OciLinux, OciProcess } from './oci-spec.ts';

/**
 * What is written to procfs for the process. Done while the host's is there, as no procfs of a container is to be
 * believed (CVE-2019-16884, CVE-2025-52881); a label counts for the next exec, whatever is joined in between.
 */
export function planProcFiles(process: OciProcess, place: OciPlace): readonly Op[] {
  const { oomScoreAdj, apparmorProfile, selinuxLabel } = process;
  const write = (path: string, text: string): Op => ({
    ...{ op: 'write', path, proc: true },
    bytes: Buffer.from(text),
  });
  const files: Op[] = [];
  if (oomScoreAdj !== undefined) files.push(write('self/oom_score_adj', String(oomScoreAdj)));
  // "unconfined" is what a process is anyway where there is no AppArmor.
  const isConfined = apparmorProfile !== 'unconfined' || place.modules.includes('apparmor');
  if (apparmorProfile && isConfined) {
    mustBeActive('apparmor', 'process.apparmorProfile', place);
    files.push(write('self/attr/apparmor/exec', `exec ${apparmorProfile}`));
  }
  if (selinuxLabel) {
    mustBeActive('selinux', 'process.selinuxLabel', place);
    files.push(write('self/attr/exec', selinuxLabel));
  }
  return files;
}

function mustBeActive(module: string, field: string, { modules }: OciPlace): void {
  if (!modules.includes(module))
    throw new OciError(field, 'missing in this kernel', `${module} is not active`);
}

/** The terminal is made while the process still may, in the container's own devpts. */
export function planSession(terminal = false, console = false): readonly Op[] {
  const session: Op = { op: 'new-session', controllingTerminal: terminal };
  return terminal ? [{ op: 'terminal', console }, session] : [session];
}

/** What takes power over the host: before the user namespace is joined. */
export function planSettings(process: OciProcess): readonly Op[] {
  const { rlimits = [], scheduler, ioPriority } = process;
  const types = rlimits.map(({ type }) => type);
  if (new Set(types).size < types.length)
    throw new OciError('process.rlimits', 'invalid', 'the same type twice');
  return [
    ...rlimits.map(({ type, soft, hard }): Op => {
      const resource = oneOf(resourceLimits, type.replace(/^RLIMIT_/, ''), 'process.rlimits');
      if (BigInt(soft) > BigInt(hard))
        throw new OciError('process.rlimits', 'invalid', `${type}: soft is above hard`);
      return { op: 'rlimit', resource, soft: BigInt(soft), hard: BigInt(hard) };
    }),
    ...(scheduler ? [planScheduler(scheduler)] : []),
    ...(ioPriority ? [planIoPriority(ioPriority)] : []),
  ];
}

function planScheduler(scheduler: NonNullable<OciProcess['scheduler']>): Op {
  const { policy, nice = 0, priority = 0, flags = [] } = scheduler;
  const { runtime = 0, deadline = 0, period = 0 } = scheduler;
  const at = 'process.scheduler';
  if (policy === 'SCHED_DEADLINE') checkDeadline(scheduler, at);
  const bit = (flag: string) =>
    1n << BigInt(oneOf(schedulerFlags, flag.replace(/^SCHED_FLAG_/, ''), `${at}.flags`));
  return {
    op: 'scheduler',
    policy: oneOf(policies, policy.replace(/^SCHED_/, ''), `${at}.policy`),
    nice: nice >>> 0,
    priority: priority >>> 0,
    flags: flags.reduce((bits, flag) => bits | bit(flag), 0n),
    runtime: BigInt(runtime),
    deadline: BigInt(deadline),
    period: BigInt(period),
  };
}

/** sched(7): runtime ≤ deadline ≤ period, of nanoseconds from 2^10 on. */
function checkDeadline(of: NonNullable<OciProcess['scheduler']>, at: string): void {
  const { runtime, deadline, period = deadline } = of;
  const wrong = (why: string) =>
    new OciError(at, 'invalid', `sched_setattr: \`SCHED_DEADLINE\` ${why}`);
  if (runtime === undefined) throw wrong('requires `runtime`');
  if (deadline === undefined) throw wrong('requires `deadline`');
  if (BigInt(runtime) <= 0n) throw wrong('runtime must be greater than 0');
  if (BigInt(runtime) < 1024n || BigInt(runtime) >= 2n ** 63n)
    throw wrong(`runtime ${runtime} must be between 1024 and 2^63 ns`);
  if (BigInt(runtime) > BigInt(deadline)) throw wrong('runtime must be <= deadline');
  if (period && BigInt(deadline) > BigInt(period)) throw wrong('deadline must be <= period');
}

function planIoPriority(wanted: NonNullable<OciProcess['ioPriority']>): Op {
  const name = wanted.class.replace(/^IOPRIO_CLASS_/, '');
  const kind = oneOf(['NONE', 'RT', 'BE', 'IDLE'], name, 'process.ioPriority.class');
  return { op: 'io-priority', priority: (kind << 13) | (wanted.priority ?? 0) };
}

/** Names in the order of their numbers. */
const resourceLimits = words(`CPU FSIZE DATA STACK CORE RSS NPROC NOFILE MEMLOCK AS LOCKS SIGPENDING
  MSGQUEUE NICE RTPRIO RTTIME`);
const policies = words('OTHER FIFO RR BATCH ISO IDLE DEADLINE');
const schedulerFlags = words(`RESET_ON_FORK RECLAIM DL_OVERRUN KEEP_POLICY KEEP_PARAMS
  UTIL_CLAMP_MIN UTIL_CLAMP_MAX`);

function words(text: string): readonly string[] {
  return text.split(/\s+/);
}

function oneOf(names: readonly string[], name: string, field: string): number {
  const number = names.indexOf(name);
  if (number < 0) throw new OciError(field, 'invalid', `no such name: "${name}"`);
  return number;
}

/**
 * Bounding set before the ids, while SETPCAP is there. Without no-new-privs a filter needs SYS_ADMIN, so it is
 * installed before that goes; with it, as late as possible, so that the least of ours runs under it.
 */
export function planIdentity(
  process: OciProcess,
  { filter, entersAsRoot = false, powerless = false }: OciPlace,
): readonly Op[] {
  const { args, env = [], cwd, user = {}, noNewPrivileges = false, capabilities = {} } = process;
  const set = (name: keyof typeof capabilities) =>
    capabilityMask(capabilities[name], `process.capabilities.${name}`);
  const seccomp: readonly Op[] = filter
    ? [{ op: 'seccomp', program: filter.program, flags: filter.flags ?? 0 }]
    : [];
  const enter: Op = { op: 'chdir', path: cwd };
  return [
    { op: 'umask', mask: user.umask ?? 0o022 },
    ...(entersAsRoot ? [enter] : []),
    ...(noNewPrivileges ? [] : seccomp),
    { op: 'drop-bounding', keep: set('bounding') },
    {
      op: 'set-ids',
      uid: user.uid ?? 0,
      gid: user.gid ?? 0,
      groups: user.additionalGids ?? [],
      keepGroups: powerless,
    },
    {
      op: 'set-caps',
      effective: set('effective'),
      permitted: set('permitted'),
      inheritable: set('inheritable'),
      ambient: set('ambient'),
    },
    ...(entersAsRoot ? [] : [enter]),
    ...(noNewPrivileges ? [{ op: 'no-new-privs' } as const, ...seccomp] : []),
    { op: 'exec', argv: args, env },
  ];
}

/** One bit for each processor of "0-3,7". */
export function processorMask(text: string, field: string): Uint8Array {
  const mask = new Uint8Array(MAX_PROCESSORS / 8);
  for (const range of text.split(',')) {
    const [, first = '', last = first] = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(range) ?? [];
    if (first === '' || Number(last) >= MAX_PROCESSORS || Number(last) < Number(first))
      throw new OciError(field, 'invalid', `"${text}" is no list of processors`);
    for (let n = Number(first); n <= Number(last); n++) mask[n >> 3]! |= 1 << (n & 7);
  }
  return mask;
}

const MAX_PROCESSORS = 8192;

/** For all memory that the process and its children take. */
export function planMemoryPolicy({ memoryPolicy }: OciLinux): readonly Op[] {
  if (!memoryPolicy) return [];
  const { mode, nodes, flags = [] } = memoryPolicy;
  const at = 'linux.memoryPolicy';
  const number = oneOf(memoryModes, mode.replace(/^MPOL_/, ''), `${at}.mode`);
  const bits = flags.map(
    (flag) => 1 << (13 + oneOf(memoryFlags, flag.replace(/^MPOL_F_/, ''), `${at}.flags`)),
  );
  const mask = nodes ? processorMask(nodes, `${at}.nodes`) : new Uint8Array();
  return [
    {
      op: 'memory-policy',
      mode: bits.reduce((all, bit) => all | bit, number),
      nodes: mask.subarray(0, MAX_NODES / 8),
    },
  ];
}

const MAX_NODES = 1024;
export const memoryModes = words(
  'DEFAULT PREFERRED BIND INTERLEAVE LOCAL PREFERRED_MANY WEIGHTED_INTERLEAVE',
);
/** From bit 13 on: numaif.h. */
export const memoryFlags = words('NUMA_BALANCING RELATIVE_NODES STATIC_NODES');
