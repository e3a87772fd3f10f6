import { checkShape } from '../../api/check-shape.ts';
import { fieldPath } from '../../api/field-error.ts';
import { normalize } from '../../api/normalize.ts';
import { pruneUnknown } from '../../api/prune-unknown.ts';
import {
  bool,
  int,
  list,
  long,
  map,
  obj,
  required,
  str,
  type TypeOf,
  uint64,
  unsupported,
} from '../../api/schema.ts';
import { OciError } from './oci-error.ts';

/**
 * `config.json` of the OCI runtime specification 1.3, the Linux part: what orc reads of it, and what a pod's container
 * is described by. docs/oci.md tells what becomes of each field.
 */
export type OciSpec = TypeOf<typeof ociSpec>;
export type OciProcess = NonNullable<OciSpec['process']>;
export type OciLinux = NonNullable<OciSpec['linux']>;
export type OciResources = NonNullable<OciLinux['resources']>;
export type OciHook = NonNullable<NonNullable<OciSpec['hooks']>['poststop']>[number];
export type OciIdMapping = TypeOf<typeof idMapping>;
export type OciNamespaceType = (typeof spaces)[number];
export type LinuxSeccomp = NonNullable<OciLinux['seccomp']>;
export type SeccompAction = (typeof actions)[number];
/** `below`: of the agent alone, never read from JSON: the source is relative to it, and no link leads out of it. */
export type OciMount = NonNullable<OciSpec['mounts']>[number] & { readonly below?: string };

/** Throws OciError for the first field that is wrong. Unknown ones are ignored, as the specification wants it. */
export function parseOciSpec(text: string): OciSpec {
  return checkOciSpec(parseJson(text));
}

/** The process of an `exec`, as in `--process FILE`. */
export function parseOciProcess(text: string): OciProcess {
  return check<OciProcess>(process, parseJson(text), 'process');
}

export function checkOciSpec(value: unknown): OciSpec {
  return check<OciSpec>(ociSpec, value, '');
}

function check<T>(schema: Parameters<typeof checkShape>[0], value: unknown, path: string): T {
  const known = pruneUnknown(schema, normalize(schema, value));
  const [wrong] = checkShape(schema, known, fieldPath(path));
  if (wrong === undefined) return known as T;
  const reason = wrong.reason === 'FieldUnsupportedByOrc' ? 'unsupported' : 'invalid';
  throw new OciError(wrong.path || 'config.json', reason, wrong.message);
}

/** Integers that a JavaScript number can't hold (RLIM_INFINITY) become bigints. */
function parseJson(text: string): unknown {
  const exact = (_: string, value: unknown, context?: { readonly source?: string }): unknown =>
    typeof value === 'number' &&
    !Number.isSafeInteger(value) &&
    /^-?\d+$/.test(context?.source ?? '')
      ? BigInt(context?.source ?? '')
      : value;
  try {
    return JSON.parse(text, exact);
  } catch (cause) {
    throw new OciError('config.json', 'invalid', 'not JSON', { cause });
  }
}

const spaces = ['pid', 'network', 'mount', 'ipc', 'uts', 'user', 'cgroup', 'time'] as const;
const uint32 = () => long({ min: 0, max: 2 ** 32 - 1 });
const strings = () => list(str());
const idMapping = obj({
  containerID: required(uint32()),
  hostID: required(uint32()),
  size: required(uint32()),
});

const process = obj({
  terminal: bool(),
  consoleSize: obj({ height: required(uint32()), width: required(uint32()) }),
  user: obj({ uid: uint32(), gid: uint32(), umask: uint32(), additionalGids: list(uint32()) }),
  args: required(list(str())),
  env: strings(),
  cwd: required(str()),
  capabilities: obj({
    bounding: strings(),
    effective: strings(),
    inheritable: strings(),
    permitted: strings(),
    ambient: strings(),
  }),
  rlimits: list(obj({ type: required(str()), hard: required(uint64()), soft: required(uint64()) })),
  noNewPrivileges: bool(),
  apparmorProfile: str(),
  selinuxLabel: str(),
  oomScoreAdj: int({ min: -1000, max: 1000 }),
  scheduler: obj({
    policy: required(str()),
    nice: int(),
    priority: int(),
    flags: strings(),
    runtime: uint64(),
    deadline: uint64(),
    period: uint64(),
  }),
  ioPriority: obj({
    class: required(str()),
    priority: int({ min: 0, max: 7 }),
  }),
  execCPUAffinity: obj({ initial: str(), final: str() }),
});

const mount = obj({
  destination: required(str()),
  type: str(),
  source: str(),
  options: strings(),
  uidMappings: list(idMapping),
  gidMappings: list(idMapping),
});

const hooks = list(
  obj({ path: required(str()), args: strings(), env: strings(), timeout: int({ min: 1 }) }),
);

const rates = () =>
  list(obj({ major: required(long()), minor: required(long()), rate: required(uint64()) }));

const resources = obj({
  devices: list(
    obj({
      allow: required(bool()),
      type: str({ values: ['a', 'b', 'c'] }),
      major: long(),
      minor: long(),
      access: str(),
    }),
  ),
  memory: obj({
    limit: long(),
    reservation: long(),
    swap: long(),
    kernel: long(),
    kernelTCP: long(),
    swappiness: uint64(),
    disableOOMKiller: bool(),
    useHierarchy: bool(),
    checkBeforeUpdate: bool(),
  }),
  cpu: obj({
    shares: uint64(),
    quota: long(),
    burst: uint64(),
    period: uint64(),
    realtimeRuntime: long(),
    realtimePeriod: uint64(),
    cpus: str(),
    mems: str(),
    idle: long(),
  }),
  pids: obj({ limit: long() }),
  blockIO: obj({
    weight: int({ min: 0, max: 1000 }),
    leafWeight: int({ min: 0, max: 1000 }),
    weightDevice: list(
      obj({
        major: required(long()),
        minor: required(long()),
        weight: int({ min: 0, max: 1000 }),
        leafWeight: int({ min: 0, max: 1000 }),
      }),
    ),
    throttleReadBpsDevice: rates(),
    throttleWriteBpsDevice: rates(),
    throttleReadIOPSDevice: rates(),
    throttleWriteIOPSDevice: rates(),
  }),
  hugepageLimits: list(obj({ pageSize: required(str()), limit: required(uint64()) })),
  network: obj({
    classID: uint32(),
    priorities: list(obj({ name: required(str()), priority: required(uint32()) })),
  }),
  rdma: map(obj({ hcaHandles: uint32(), hcaObjects: uint32() })),
  unified: map(str()),
});

const actions = [
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
  'SCMP_ACT_NOTIFY',
] as const;

const comparisons = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
] as const;

const seccomp = obj({
  defaultAction: required(str({ values: actions })),
  defaultErrnoRet: uint32(),
  architectures: strings(),
  flags: strings(),
  listenerPath: str(),
  listenerMetadata: str(),
  syscalls: list(
    obj({
      names: required(list(str())),
      action: required(str({ values: actions })),
      errnoRet: uint32(),
      args: list(
        obj({
          index: required(int({ min: 0, max: 5 })),
          value: required(uint64()),
          valueTwo: uint64(),
          op: required(str({ values: comparisons })),
        }),
      ),
    }),
  ),
});

const linux = obj({
  uidMappings: list(idMapping),
  gidMappings: list(idMapping),
  sysctl: map(str()),
  resources,
  cgroupsPath: str(),
  namespaces: list(obj({ type: required(str({ values: spaces })), path: str() })),
  devices: list(
    obj({
      path: required(str()),
      type: required(str({ values: ['c', 'b', 'u', 'p'] })),
      major: long(),
      minor: long(),
      fileMode: uint32(),
      uid: uint32(),
      gid: uint32(),
    }),
  ),
  netDevices: map(obj({ name: str() })),
  seccomp,
  rootfsPropagation: str(),
  maskedPaths: strings(),
  readonlyPaths: strings(),
  mountLabel: str(),
  intelRdt: unsupported(),
  memoryPolicy: unsupported(),
  personality: obj({ domain: required(str()), flags: strings() }),
  timeOffsets: map(obj({ secs: long(), nanosecs: uint32() })),
});

export const ociSpec = obj({
  ociVersion: required(
    str({
      check: (version) =>
        /^1\.[0-3]\.\d+([-+].*)?$/.test(version) ? undefined : 'must be 1.0.0 to 1.3.x',
    }),
  ),
  process,
  root: obj({ path: required(str()), readonly: bool() }),
  hostname: str(),
  domainname: str(),
  mounts: list(mount),
  hooks: obj({
    prestart: hooks,
    createRuntime: hooks,
    createContainer: hooks,
    startContainer: hooks,
    poststart: hooks,
    poststop: hooks,
  }),
  annotations: map(str()),
  linux,
});
