import type { OciSpec } from '../oci/oci-spec.ts';

const capabilities = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'];
const closed = ['nosuid', 'noexec', 'nodev'];

/** What `spec` writes: a shell in ./rootfs, with a terminal, namespaces of its own and next to no rights. */
export const defaultSpec = (cgroupVersion: 1 | 2): OciSpec => ({
  ociVersion: '1.2.0',
  process: {
    terminal: true,
    user: { uid: 0, gid: 0 },
    args: ['sh'],
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
    cwd: '/',
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
    noNewPrivileges: true,
  },
  root: { path: 'rootfs', readonly: true },
  hostname: 'orc',
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    {
      ...{ destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      ...{ destination: '/dev/pts', type: 'devpts', source: 'devpts' },
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    {
      ...{ destination: '/dev/shm', type: 'tmpfs', source: 'shm' },
      options: [...closed, 'mode=1777', 'size=65536k'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: closed },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...closed, 'ro'] },
    {
      ...{ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup' },
      options: [...closed, 'relatime', 'ro'],
    },
  ],
  linux: {
    resources: { devices: [{ allow: false, access: 'rwm' }] },
    namespaces: [
      ...(['pid', 'network', 'ipc', 'uts', 'mount'] as const).map((type) => ({ type })),
      ...(cgroupVersion === 2 ? [{ type: 'cgroup' as const }] : []),
    ],
    maskedPaths: [
      ...'acpi asound kcore keys latency_stats timer_list timer_stats sched_debug scsi'
        .split(' ')
        .map((name) => `/proc/${name}`),
      ...['/sys/firmware', '/sys/devices/virtual/powercap'],
    ],
    readonlyPaths: ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map((name) => `/proc/${name}`),
  },
});

/** The same for a user who is not root: mapped to root, and to nobody else. */
export function rootlessSpec(cgroupVersion: 1 | 2): OciSpec {
  const { linux, mounts = [], ...rest } = defaultSpec(cgroupVersion);
  const own = (hostID = 0) => [{ containerID: 0, hostID, size: 1 }];
  return {
    ...rest,
    mounts: mounts
      .filter(({ type }) => type !== 'cgroup')
      .map((mount) => ({
        ...mount,
        ...(mount.options && { options: mount.options.filter((option) => option !== 'gid=5') }),
      })),
    linux: {
      ...linux,
      resources: {},
      namespaces: [...(linux?.namespaces ?? []), { type: 'user' }],
      uidMappings: own(process.getuid?.()),
      gidMappings: own(process.getgid?.()),
    },
  };
}
