import { checkShape } from '../../api/check-shape.ts';
import { fieldPath } from '../../api/field-error.ts';
import { normalize, pruneUnknown } from '../../api/normalize.ts';
import {
  all,
  bool,
  int,
  list,
  long,
  map,
  obj,
  str,
  type TypeOf,
  uint64,
  unsupportedFields,
} from '../../api/schema.ts';
import { shareFlag } from '../kernel/op-fields.ts';
import { seccompWords } from '../kernel/seccomp.ts';
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
export type OciNamespaceType = (typeof ociNamespaceTypes)[number];
export type LinuxSeccomp = NonNullable<OciLinux['seccomp']>;
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

/** `linux.resources` alone, as in `update --resources FILE`. */
export function parseOciResources(text: string): OciResources {
  return check<OciResources>(resources, parseJson(text), 'linux.resources');
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
    throw Object.assign(new OciError('config.json', 'invalid', 'not JSON'), { cause });
  }
}

export const ociVersions = { min: '1.0.0', max: '1.3.0' } as const;

export const ociNamespaceTypes = [
  'pid',
  'network',
  'mount',
  'ipc',
  'uts',
  'user',
  'cgroup',
  'time',
] as const;
const uint32 = long({ min: 0, max: 2 ** 32 - 1 });
/** The kernel's strings end with it. */
const text = str({ check: (value) => (value.includes('\0') ? 'must not hold NUL' : undefined) });
const strings = list(text);

const idMapping = obj(all(uint32.required(), 'containerID', 'hostID', 'size'));

const process = obj({
  terminal: bool(),
  consoleSize: obj(all(int({ min: 0, max: 65_535 }).required(), 'height', 'width')),
  user: obj({ ...all(uint32, 'uid', 'gid', 'umask'), additionalGids: list(uint32) }),
  args: strings.required(),
  env: strings,
  cwd: text.required(),
  capabilities: obj(all(strings, 'bounding', 'effective', 'inheritable', 'permitted', 'ambient')),
  rlimits: list(obj({ type: text.required(), ...all(uint64().required(), 'hard', 'soft') })),
  noNewPrivileges: bool(),
  ...all(text, 'apparmorProfile', 'selinuxLabel'),
  oomScoreAdj: int({ min: -1000, max: 1000 }),
  scheduler: obj({
    policy: text.required(),
    ...all(int(), 'nice', 'priority'),
    flags: strings,
    ...all(uint64(), 'runtime', 'deadline', 'period'),
  }),
  ioPriority: obj({ class: text.required(), priority: int({ min: 0, max: 7 }) }),
  execCPUAffinity: obj(all(text, 'initial', 'final')),
});

const maps = all(list(idMapping), 'uidMappings', 'gidMappings');
const mount = obj({
  destination: text.required(),
  ...all(text, 'type', 'source'),
  options: strings,
  ...maps,
});

const hooks = list(
  obj({ path: text.required(), ...all(strings, 'args', 'env'), timeout: int({ min: 1 }) }),
);

const device = all(uint32.required(), 'major', 'minor');
const throttle = list(obj({ ...device, rate: uint64().required() }));
const weight = int({ min: 0, max: 1000 });

const resources = obj({
  devices: list(
    obj({
      allow: bool().required(),
      type: str({ values: ['a', 'b', 'c'] }),
      ...all(long({ min: -1, max: 2 ** 32 - 1 }), 'major', 'minor'),
      access: text,
    }),
  ),
  memory: obj({
    ...all(long(), 'limit', 'reservation', 'swap', 'kernel', 'kernelTCP'),
    swappiness: uint64(),
    ...all(bool(), 'disableOOMKiller', 'useHierarchy', 'checkBeforeUpdate'),
  }),
  cpu: obj({
    ...all(uint64(), 'shares', 'burst', 'period', 'realtimePeriod'),
    ...all(long(), 'quota', 'realtimeRuntime', 'idle'),
    ...all(text, 'cpus', 'mems'),
  }),
  pids: obj({ limit: long() }),
  blockIO: obj({
    ...all(weight, 'weight', 'leafWeight'),
    weightDevice: list(obj({ ...device, ...all(weight, 'weight', 'leafWeight') })),
    ...all(throttle, 'throttleReadBpsDevice', 'throttleWriteBpsDevice'),
    ...all(throttle, 'throttleReadIOPSDevice', 'throttleWriteIOPSDevice'),
  }),
  hugepageLimits: list(obj({ pageSize: text.required(), limit: uint64().required() })),
  network: obj({
    classID: uint32,
    priorities: list(obj({ name: text.required(), priority: uint32.required() })),
  }),
  rdma: map(obj(all(uint32, 'hcaHandles', 'hcaObjects'))),
  unified: map(text),
});

const action = str({ values: seccompWords.actions }).required();

const seccomp = obj({
  defaultAction: action,
  defaultErrnoRet: uint32,
  ...all(strings, 'architectures', 'flags'),
  ...all(text, 'listenerPath', 'listenerMetadata'),
  syscalls: list(
    obj({
      names: strings.required(),
      action,
      errnoRet: uint32,
      args: list(
        obj({
          index: int({ min: 0, max: 5 }).required(),
          value: uint64().required(),
          valueTwo: uint64(),
          op: str({ values: seccompWords.comparisons }).required(),
        }),
      ),
    }),
  ),
});

const shares = Object.keys(shareFlag);

const linux = obj({
  ...maps,
  sysctl: map(text),
  resources,
  cgroupsPath: text,
  namespaces: list(obj({ type: str({ values: ociNamespaceTypes }).required(), path: text })),
  devices: list(
    obj({
      path: text.required(),
      type: str({ values: ['c', 'b', 'u', 'p'] }).required(),
      ...all(uint32, 'major', 'minor', 'fileMode', 'uid', 'gid'),
    }),
  ),
  netDevices: map(obj({ name: text })),
  seccomp,
  rootfsPropagation: str({ values: ['', ...shares, ...shares.map((one) => `r${one}`)] }),
  mountLabel: text,
  ...all(strings, 'maskedPaths', 'readonlyPaths'),
  ...unsupportedFields('intelRdt'),
  memoryPolicy: obj({ mode: text.required(), nodes: text, flags: strings }),
  personality: obj({
    domain: str({ values: ['LINUX', 'LINUX32'] }).required(),
    ...unsupportedFields('flags'),
  }),
  timeOffsets: map(obj({ secs: long(), nanosecs: uint32 })),
});

export const ociSpec = obj({
  ociVersion: str({
    check: (version) => (/^1\.[0-3]\./.test(version) ? undefined : 'must be 1.0 to 1.3'),
  }).required(),
  process,
  root: obj({ path: text.required(), readonly: bool() }),
  ...all(text, 'hostname', 'domainname'),
  mounts: list(mount),
  hooks: obj({
    ...all(hooks, 'prestart', 'createRuntime', 'createContainer'),
    ...all(hooks, 'startContainer', 'poststart', 'poststop'),
  }),
  annotations: map(text),
  linux,
});
