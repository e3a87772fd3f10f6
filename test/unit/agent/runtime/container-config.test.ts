import { describe, expect, it } from 'vitest';
import { checkOciSpec } from '../../../../agent/oci/oci-spec.ts';
import type { ContainerMount, ContainerSpec } from '../../../../agent/ports.ts';
import {
  type ContainerSurroundings,
  planConfig,
} from '../../../../agent/runtime/container-config.ts';
import {
  containerSpec,
  imageOf,
  noLimits,
  ordinarySecurity,
} from '../../../support/container-spec.ts';

const around: ContainerSurroundings = {
  namespace: 'default',
  podName: 'shop',
  hostname: 'shop',
  hostNetwork: false,
  userNamespace: { firstId: 100_000, size: 65_536 },
  hostCapabilities: (1n << 41n) - 1n,
  passwd: 'root:x:0:0:root:/root:/bin/sh\n',
  group: '',
  cgroupVersion: 1,
  seccomp: (capabilities) => ({
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [{ names: [...capabilities], action: 'SCMP_ACT_ALLOW' }],
  }),
  namespacePath: (type) => `/proc/7/fd/${type}`,
  root: '/c/root',
  sources: {
    shm: '/run/shm',
    etc: '/etc-a',
    terminationLog: '/c/termination-log',
    tmpfs: (name) => `/run/tmpfs/${name}`,
  },
};
const plan = (spec: Partial<ContainerSpec>, over: Partial<ContainerSurroundings> = {}) =>
  planConfig(containerSpec(spec), { ...around, ...over });
const security = (over: Partial<typeof ordinarySecurity>) => ({
  security: { ...ordinarySecurity, ...over },
});

describe('the command', () => {
  const image = imageOf([], { entrypoint: ['entry'], cmd: ['cmd', 'x'] });
  const rows: readonly [string, Partial<ContainerSpec>, readonly string[]][] = [
    ['is the image’s', { command: undefined, args: undefined }, ['entry', 'cmd', 'x']],
    [
      'keeps the entrypoint when only args are given',
      { command: undefined, args: ['a'] },
      ['entry', 'a'],
    ],
    ['is the pod’s alone when only command is given', { command: ['c'], args: undefined }, ['c']],
    ['is the pod’s', { command: ['c'], args: ['a'] }, ['c', 'a']],
  ];
  it.each(rows)('%s', (_, spec, args) => {
    expect(plan({ ...spec, image }).process?.args).toEqual(args);
  });

  it('must be somewhere', () => {
    expect(() => plan({ command: [] })).toThrow(/no command specified/);
  });
});

describe('the environment', () => {
  it('has defaults, which the image overrides, which the pod overrides', () => {
    const image = imageOf([], { env: ['PATH=/image', 'A=image', 'B=image'] });
    expect(plan({ image, env: ['B=pod', 'C='] }).process?.env).toEqual([
      'PATH=/image',
      'HOSTNAME=shop',
      'HOME=/root',
      'A=image',
      'B=pod',
      'C=',
    ]);
  });

  it('refuses what would end a string early', () => {
    expect(() => plan({ env: ['A=1\0B=2'] })).toThrow(/NUL/);
  });
});

describe('rights', () => {
  const caps = (over: Partial<typeof ordinarySecurity>, own = true) =>
    plan(security(over), own ? {} : { userNamespace: undefined }).process?.capabilities?.bounding;

  it('are fourteen by default, and no MKNOD over the host’s devices', () => {
    expect(caps({}, true)).toHaveLength(14);
    expect(caps({}, false)).toHaveLength(13);
    expect(caps({}, false)).not.toContain('CAP_MKNOD');
  });

  it('are what was added after everything was dropped', () => {
    const over = { capabilitiesDrop: ['ALL'], capabilitiesAdd: ['NET_BIND_SERVICE', 'CAP_KILL'] };
    expect(caps(over)).toEqual(['CAP_KILL', 'CAP_NET_BIND_SERVICE']);
  });

  it('lack what was dropped, even from everything', () => {
    const over = { capabilitiesDrop: ['SYS_ADMIN'], capabilitiesAdd: ['ALL'] };
    expect(caps(over)).toHaveLength(40);
    expect(caps({ capabilitiesDrop: ['ALL'], capabilitiesAdd: ['ALL'] })).toEqual([]);
  });

  it('don’t exceed the agent’s in the host’s user namespace', () => {
    const config = plan(security({ privileged: true }), {
      userNamespace: undefined,
      hostCapabilities: 0b11n,
    });
    expect(config.process?.capabilities?.bounding).toEqual(['CAP_CHOWN', 'CAP_DAC_OVERRIDE']);
  });

  it('refuse an unknown capability', () => {
    expect(() => caps({ capabilitiesAdd: ['FLY'] })).toThrow(/unknown capability "FLY"/);
  });

  it('are all there, unfiltered and unmasked, for a privileged container', () => {
    const { process, linux } = plan(security({ privileged: true }));
    expect(process?.capabilities?.effective).toHaveLength(41);
    expect(linux).toMatchObject({ maskedPaths: [], readonlyPaths: [] });
    expect(linux?.seccomp).toBeUndefined();
  });

  it('are under the AppArmor profile that the pod names', () => {
    expect(plan(security({ appArmor: 'web' })).process?.apparmorProfile).toBe('web');
    expect(plan({}).process).not.toHaveProperty('apparmorProfile');
  });

  it('can’t grow when the pod forbids it', () => {
    expect(plan({}).process?.noNewPrivileges).toBe(false);
    const config = plan(security({ allowPrivilegeEscalation: false }));
    expect(config.process?.noNewPrivileges).toBe(true);
  });
});

describe('mounts', () => {
  const volume = (mountPath: string, over: Partial<ContainerMount> = {}): ContainerMount => ({
    source: { kind: 'directory', name: 'v', path: '/volumes/v', readOnly: false },
    mountPath,
    subPath: '',
    readOnly: false,
    ...over,
  });
  const destinations = (mounts: readonly ContainerMount[]) =>
    plan({ mounts }).mounts?.map((mount) => mount.destination);

  it('are the system’s, then the pod’s files, then its volumes from the outside in', () => {
    expect(destinations([volume('/data/inner/deep'), volume('/data')])).toEqual([
      '/proc',
      '/dev',
      '/dev/pts',
      '/dev/mqueue',
      '/sys',
      '/sys/fs/cgroup',
      '/dev/shm',
      '/etc/hosts',
      '/etc/resolv.conf',
      '/etc/hostname',
      '/dev/termination-log',
      '/data',
      '/data/inner/deep',
    ]);
  });

  it('take a volume in memory from where the shim has it', () => {
    const source = { kind: 'tmpfs', name: 'm', sizeLimitBytes: 1, uid: 0, gid: 0 } as const;
    const mounts = [volume('/m', { source, readOnly: true, subPath: 'x/y' })];
    expect(plan({ mounts }).mounts?.at(-1)).toEqual({
      type: 'bind',
      destination: '/m',
      source: 'x/y',
      below: '/run/tmpfs/m',
      options: ['bind', 'ro', 'nodev'],
    });
  });

  it('are read-only for files of ConfigMaps, whatever the pod says', () => {
    const source = { kind: 'directory', name: 'c', path: '/volumes/c', readOnly: true } as const;
    const mounts = [volume('/c', { source, readOnly: false })];
    expect(plan({ mounts }).mounts?.at(-1)?.options).toEqual(['bind', 'ro', 'nodev']);
  });

  it.each(['/', '/proc', '/proc/self/attr', '/sys/fs', '/x/../proc'])('refuse %s', (mountPath) => {
    expect(() => destinations([volume(mountPath)])).toThrow(/not allowed/);
  });

  it.each(['/etc', '../x', 'a/../../b'])('refuse the subPath %s', (subPath) => {
    expect(() => destinations([volume('/v', { subPath })])).toThrow(/must be relative/);
  });
});

it('joins the pod’s namespaces, but not what it shares with the host', () => {
  const joined = (over: Partial<ContainerSurroundings>) =>
    plan({}, over).linux?.namespaces?.flatMap(({ path }) => path ?? []);
  const paths = ['network', 'ipc', 'uts', 'user'].map((type) => `/proc/7/fd/${type}`);
  expect(joined({})).toEqual(paths);
  expect(joined({ hostNetwork: true, userNamespace: undefined })).toEqual(paths.slice(1, 3));
});

it('describes maps, limits and the filter in the words of config.json', () => {
  const { linux } = plan({ resources: { ...noLimits, memoryLimitBytes: 5 } });
  const ids = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  expect(linux).toMatchObject({ uidMappings: ids, gidMappings: ids });
  expect(linux?.resources).toMatchObject({ memory: { limit: 5, swap: 5 }, devices: [] });
  expect(linux?.seccomp?.syscalls?.[0]?.names).toContain('CAP_CHOWN');
  expect(() => checkOciSpec(plan({}))).not.toThrow();
});

it('refuses a user whom the pod’s ids don’t reach, unless it has the host’s', () => {
  expect(() => plan(security({ runAsUser: 65_536 }))).toThrow(/needs hostUsers: true/);
  expect(() => plan(security({ fsGroup: 1_000_000 }))).toThrow(/id 1000000 is outside/);
  const shared = plan(security({ runAsUser: 65_536 }), { userNamespace: undefined });
  expect(shared.process?.user?.uid).toBe(65_536);
});

it('says what a terminal is, unless the pod does', () => {
  expect(plan({ terminal: true }).process).toMatchObject({ terminal: true });
  expect(plan({ terminal: true }).process?.env).toContain('TERM=xterm');
  expect(plan({ terminal: true, env: ['TERM=vt100'] }).process?.env).toContain('TERM=vt100');
});
