import { checkShape } from '../../api/check-shape.ts';
import { fieldPath } from '../../api/field-error.ts';
import { normalize, pruneUnknown } from '../../api/normalize.ts';
import * as s from '../../api/schema.ts';
import { shareFlag } from '../kernel/op-fields.ts';
import { seccompWords } from '../kernel/seccomp.ts';
import { OciError } from './oci-error.ts';

/**
 * `config.json` of the OCI runtime specification 1.3, the Linux part: what orc reads of it, and what a pod's container
 * is described by. docs/oci.md tells what becomes of each field.
 */
export type OciSpec = s.TypeOf<typeof ociSpec>;
export type OciProcess = NonNullable<OciSpec['process']>;
export type OciLinux = NonNullable<OciSpec['linux']>;
export type OciResources = NonNullable<OciLinux['resources']>;
export type OciHook = NonNullable<NonNullable<OciSpec['hooks']>['poststop']>[number];
export type OciIdMapping = s.TypeOf<typeof idMapping>;
export type OciNamespaceType = (typeof ociNamespaceTypes)[number];
export type LinuxSeccomp = NonNullable<OciLinux['seccomp']>;
/** `below`: of the agent alone, never read from JSON: the source is relative to it, and no link leads out of it. */
export type OciMount = NonNullable<OciSpec['mounts']>[number] & { readonly below?: string };

/** Throws OciError for the first field that is wrong. Unknown ones are ignored, as the specification wants it. */
export const parseOciSpec = (text: string): OciSpec => checkOciSpec(parseJson(text));

/** The process of an `exec`, as in `--process FILE`. */
export const parseOciProcess = (text: string): OciProcess =>
  check<OciProcess>(process, parseJson(text), 'process');

/** `linux.resources` alone, as in `update --resources FILE`. */
export const parseOciResources = (text: string): OciResources =>
  check<OciResources>(resources, parseJson(text), 'linux.resources');

export const checkOciSpec = (value: unknown): OciSpec => check<OciSpec>(ociSpec, value, '');

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
const uint32 = s.long({ min: 0, max: 2 ** 32 - 1 });
/** The kernel's strings end with it. */
const text = s.str({ check: (value) => (value.includes('\0') ? 'must not hold NUL' : undefined) });
const strings = s.list(text);

const idMapping = s.obj(s.all(uint32.required(), 'containerID', 'hostID', 'size'));

const process = s.obj({
  terminal: s.bool(),
  consoleSize: s.obj(s.all(s.int({ min: 0, max: 65_535 }).required(), 'height', 'width')),
  user: s.obj({ ...s.all(uint32, 'uid', 'gid', 'umask'), additionalGids: s.list(uint32) }),
  args: strings.required(),
  env: strings,
  cwd: text.required(),
  capabilities: s.obj(
    s.all(strings, 'bounding', 'effective', 'inheritable', 'permitted', 'ambient'),
  ),
  rlimits: s.list(
    s.obj({ type: text.required(), ...s.all(s.uint64().required(), 'hard', 'soft') }),
  ),
  noNewPrivileges: s.bool(),
  ...s.all(text, 'apparmorProfile', 'selinuxLabel'),
  oomScoreAdj: s.int({ min: -1000, max: 1000 }),
  scheduler: s.obj({
    policy: text.required(),
    ...s.all(s.int(), 'nice', 'priority'),
    flags: strings,
    ...s.all(s.uint64(), 'runtime', 'deadline', 'period'),
  }),
  ioPriority: s.obj({ class: text.required(), priority: s.int({ min: 0, max: 7 }) }),
  execCPUAffinity: s.obj(s.all(text, 'initial', 'final')),
});

const maps = s.all(s.list(idMapping), 'uidMappings', 'gidMappings');
const mount = s.obj({
  destination: text.required(),
  ...s.all(text, 'type', 'source'),
  options: strings,
  ...maps,
});

const hooks = s.list(
  s.obj({ path: text.required(), ...s.all(strings, 'args', 'env'), timeout: s.int({ min: 1 }) }),
);

const device = s.all(uint32.required(), 'major', 'minor');
const throttle = s.list(s.obj({ ...device, rate: s.uint64().required() }));
const weight = s.int({ min: 0, max: 1000 });

const resources = s.obj({
  devices: s.list(
    s.obj({
      allow: s.bool().required(),
      type: s.str({ values: ['a', 'b', 'c'] }),
      ...s.all(s.long({ min: -1, max: 2 ** 32 - 1 }), 'major', 'minor'),
      access: text,
    }),
  ),
  memory: s.obj({
    ...s.all(s.long(), 'limit', 'reservation', 'swap', 'kernel', 'kernelTCP'),
    swappiness: s.uint64(),
    ...s.all(s.bool(), 'disableOOMKiller', 'useHierarchy', 'checkBeforeUpdate'),
  }),
  cpu: s.obj({
    ...s.all(s.uint64(), 'shares', 'burst', 'period', 'realtimePeriod'),
    ...s.all(s.long(), 'quota', 'realtimeRuntime', 'idle'),
    ...s.all(text, 'cpus', 'mems'),
  }),
  pids: s.obj({ limit: s.long() }),
  blockIO: s.obj({
    ...s.all(weight, 'weight', 'leafWeight'),
    weightDevice: s.list(s.obj({ ...device, ...s.all(weight, 'weight', 'leafWeight') })),
    ...s.all(throttle, 'throttleReadBpsDevice', 'throttleWriteBpsDevice'),
    ...s.all(throttle, 'throttleReadIOPSDevice', 'throttleWriteIOPSDevice'),
  }),
  hugepageLimits: s.list(s.obj({ pageSize: text.required(), limit: s.uint64().required() })),
  network: s.obj({
    classID: uint32,
    priorities: s.list(s.obj({ name: text.required(), priority: uint32.required() })),
  }),
  rdma: s.map(s.obj(s.all(uint32, 'hcaHandles', 'hcaObjects'))),
  unified: s.map(text),
});

const action = s.str({ values: seccompWords.actions }).required();

const seccomp = s.obj({
  defaultAction: action,
  defaultErrnoRet: uint32,
  ...s.all(strings, 'architectures', 'flags'),
  ...s.all(text, 'listenerPath', 'listenerMetadata'),
  syscalls: s.list(
    s.obj({
      names: strings.required(),
      action,
      errnoRet: uint32,
      args: s.list(
        s.obj({
          index: s.int({ min: 0, max: 5 }).required(),
          value: s.uint64().required(),
          valueTwo: s.uint64(),
          op: s.str({ values: seccompWords.comparisons }).required(),
        }),
      ),
    }),
  ),
});

const shares = Object.keys(shareFlag);

const linux = s.obj({
  ...maps,
  sysctl: s.map(text),
  resources,
  cgroupsPath: text,
  namespaces: s.list(s.obj({ type: s.str({ values: ociNamespaceTypes }).required(), path: text })),
  devices: s.list(
    s.obj({
      path: text.required(),
      type: s.str({ values: ['c', 'b', 'u', 'p'] }).required(),
      ...s.all(uint32, 'major', 'minor', 'fileMode', 'uid', 'gid'),
    }),
  ),
  netDevices: s.map(s.obj({ name: text })),
  seccomp,
  rootfsPropagation: s.str({ values: ['', ...shares, ...shares.map((one) => `r${one}`)] }),
  mountLabel: text,
  ...s.all(strings, 'maskedPaths', 'readonlyPaths'),
  ...s.unsupportedFields('intelRdt'),
  memoryPolicy: s.obj({ mode: text.required(), nodes: text, flags: strings }),
  personality: s.obj({
    domain: s.str({ values: ['LINUX', 'LINUX32'] }).required(),
    ...s.unsupportedFields('flags'),
  }),
  timeOffsets: s.map(s.obj({ secs: s.long(), nanosecs: uint32 })),
});

export const ociSpec = s.obj({
  ociVersion: s
    .str({
      check: (version) => (/^1\.[0-3]\./.test(version) ? undefined : 'must be 1.0 to 1.3'),
    })
    .required(),
  process,
  root: s.obj({ path: text.required(), readonly: s.bool() }),
  ...s.all(text, 'hostname', 'domainname'),
  mounts: s.list(mount),
  hooks: s.obj({
    ...s.all(hooks, 'prestart', 'createRuntime', 'createContainer'),
    ...s.all(hooks, 'startContainer', 'poststart', 'poststop'),
  }),
  annotations: s.map(text),
  linux,
});
