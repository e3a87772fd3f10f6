import { posix } from 'node:path';
import type { Op } from '../kernel/op.ts';
import { hostId } from './id-maps.ts';
import { OciError } from './oci-error.ts';
import type { OciPlace } from './oci-place.ts';
import type { OciLinux, OciSpec } from './oci-spec.ts';
import { isReadOnly } from './plan-mounts.ts';

type Device = NonNullable<OciLinux['devices']>[number];

/**
 * Default devices, those of the configuration, and the links of every /dev; nothing where the host's /dev is bound.
 * Real nodes: mknod(2) works, as the process is root outside. With `lockDevices` each is bound to itself, and then
 * their file system is made nodev: nodes that are made there later open nothing, even with CAP_MKNOD over the host.
 */
export function planDevices(spec: OciSpec, place: OciPlace): readonly Op[] {
  const devices = new Map(defaults.map((device) => [device.path, device]));
  for (const device of spec.linux?.devices ?? []) {
    const path = posix.join(device.path, '.');
    devices.set(path, { ...device, path });
  }
  const dev = spec.mounts?.findLast(
    ({ destination }) => posix.resolve('/', destination) === '/dev',
  );
  if (dev?.type === 'bind' || dev?.options?.some((name) => /^r?bind$/.test(name))) return [];
  const nodes = [...devices.values()].flatMap((device) =>
    place.powerless ? [bindNode(device)] : planNode(device, spec),
  );
  const links = Object.entries(deviceLinks).map(
    ([path, to]): Op => ({ op: 'symlink', path, inRoot: true, to, optional: !place.lockDevices }),
  );
  const locks = dev !== undefined && place.lockDevices ? planLocks([...devices.keys()]) : [];
  // Where the terminal will be bound, as nothing can be made then.
  const console = {
    ...{ path: '/dev/console', inRoot: true },
    ...{ uid: 0, gid: 0, major: 0, minor: 0 },
  };
  const isNeeded = spec.process?.terminal === true && dev !== undefined && isReadOnly(dev);
  const target: readonly Op[] = isNeeded
    ? [{ op: 'mknod', mode: S_IFREG | 0o600, ...console }]
    : [];
  return [...nodes, ...links, ...locks, ...target];
}

const NODEV = 4;

const planLocks = (paths: readonly string[]): readonly Op[] => [
  ...paths.map(
    (target): Op => ({ op: 'bind', source: '', target, inRoot: true, create: false, flags: 0 }),
  ),
  { op: 'set-mount', path: '/dev', inRoot: true, set: NODEV },
];

const bindNode = ({ path }: Device): Op => ({
  ...{ op: 'bind', source: path, target: path, inRoot: true, create: true, flags: 0 },
  optional: true,
});

const S_IFREG = 0o100000;
const fileTypes = { c: 0o020000, u: 0o020000, b: 0o060000, p: 0o010000 } as const;

function planNode(device: Device, { linux = {} }: OciSpec): readonly Op[] {
  const { path, type, major = 0, minor = 0, fileMode = 0o666, uid = 0, gid = 0 } = device;
  if (!path.startsWith('/') || (type !== 'p' && [device.major, device.minor].includes(undefined)))
    throw new OciError('linux.devices', 'invalid', `"${path}" is not absolute, or has no numbers`);
  const owner = {
    uid: hostId(linux.uidMappings, uid, 'linux.devices'),
    gid: hostId(linux.gidMappings, gid, 'linux.devices'),
  };
  const parent = { path: posix.dirname(path), inRoot: true, mode: 0o755, ...owner };
  const mode = fileTypes[type] | (fileMode & 0o7777);
  return [
    ...(parent.path === '/dev' ? [] : [{ op: 'mkdir', ...parent } as const]),
    { op: 'mknod', path, inRoot: true, mode, ...owner, major, minor },
  ];
}

/** config-linux.md, "Default Devices"; the links are those of runtime-linux.md. */
const defaults = (
  [
    ['null', 1, 3],
    ['zero', 1, 5],
    ['full', 1, 7],
    ['random', 1, 8],
    ['urandom', 1, 9],
    ['tty', 5, 0],
  ] as const
).map(([name, major, minor]): Device => ({ path: `/dev/${name}`, type: 'c', major, minor }));

const deviceLinks = {
  '/dev/fd': '/proc/self/fd',
  '/dev/stdin': '/proc/self/fd/0',
  '/dev/stdout': '/proc/self/fd/1',
  '/dev/stderr': '/proc/self/fd/2',
  '/dev/ptmx': 'pts/ptmx',
} as const;
