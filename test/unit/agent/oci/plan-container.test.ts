import { describe, expect, it } from 'vitest';
import type { Op } from '../../../../agent/kernel/op.ts';
import type { OciPlace } from '../../../../agent/oci/oci-place.ts';
import type { OciLinux, OciProcess, OciSpec } from '../../../../agent/oci/oci-spec.ts';
import { planContainer, planExec } from '../../../../agent/oci/plan-container.ts';
import { planHook } from '../../../../agent/oci/plan-hook.ts';
import { planRequest } from '../../../../agent/oci/plan-request.ts';
import { planSpaces } from '../../../../agent/oci/plan-spaces.ts';

const ids = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
const process: OciProcess = {
  args: ['/bin/true'],
  env: ['A=b'],
  cwd: '/work',
  user: { uid: 33, gid: 34, additionalGids: [34, 50] },
  capabilities: { bounding: ['CAP_CHOWN', 'CAP_KILL'], permitted: ['CAP_CHOWN'] },
};
const linux: OciLinux = {
  uidMappings: ids,
  gidMappings: ids,
  namespaces: [
    { type: 'mount' },
    { type: 'pid' },
    { type: 'cgroup' },
    ...(['network', 'ipc', 'uts', 'user'] as const).map((type) => ({ type, path: `/ns/${type}` })),
  ],
  maskedPaths: ['/proc/kcore'],
  readonlyPaths: ['/proc/sys'],
};
const spec: OciSpec = {
  ociVersion: '1.2.0',
  process,
  hostname: 'shop',
  mounts: [
    { type: 'proc', destination: '/proc', options: ['nosuid'] },
    { type: 'tmpfs', destination: '/dev', options: ['nosuid', 'mode=755'] },
    { type: 'devpts', destination: '/dev/pts', options: ['gid=5'] },
  ],
  linux,
};
const place: OciPlace = {
  bundle: '/bundle',
  root: [{ op: 'set-root', path: 'root' }],
  cgroups: [],
  attach: ['/cg/memory/web-0/cgroup.procs'],
  filter: { program: Buffer.from([1]) },
  modules: [],
  lockDevices: true,
};
const names = (ops: readonly Op[]) =>
  ops.map((op) => {
    if (op.op === 'join' || op.op === 'open-space') return `${op.op} ${op.namespace}`;
    if (op.op === 'mount') return `mount ${op.fstype}`;
    return op.op === 'bind' ? `bind ${op.target}` : op.op;
  });
const plan = (over: Partial<OciSpec>, where: Partial<OciPlace> = {}) =>
  planContainer({ ...spec, ...over }, { ...place, ...where });
const planLinux = (over: Partial<OciLinux>) => plan({ linux: { ...linux, ...over } });
const planProcess = (over: Partial<OciProcess>) => plan({ process: { ...process, ...over } });

describe('the start of a container', () => {
  it('goes from the outside in, and gives up power step by step', () => {
    expect(names(plan({}))).toEqual([
      'write',
      'make-private',
      ...['network', 'ipc', 'uts', 'user'].map((type) => `open-space ${type}`),
      ...['join network', 'join ipc', 'join uts'],
      'names',
      'unshare',
      'set-root',
      ...['mount proc', 'mount tmpfs', 'mount devpts'],
      ...Array.from({ length: 6 }, () => 'mknod'),
      ...Array.from({ length: 5 }, () => 'symlink'),
      ...['null', 'zero', 'full', 'random', 'urandom', 'tty'].map((name) => `bind /dev/${name}`),
      'set-mount',
      'mkdir',
      'mask',
      'read-only',
      'pivot-root',
      'new-keyring',
      'new-session',
      'join user',
      'umask',
      'seccomp',
      'drop-bounding',
      'set-ids',
      'set-caps',
      'chdir',
      'exec',
    ]);
  });

  it('installs the filter last when rights can’t grow', () => {
    const last = names(planProcess({ noNewPrivileges: true })).slice(-4);
    expect(last).toEqual(['chdir', 'no-new-privs', 'seccomp', 'exec']);
  });

  it('makes the root read-only after every mount point was made in it', () => {
    const order = names(plan({ root: { path: 'x', readonly: true } }));
    expect(order.indexOf('read-only-root')).toBe(order.indexOf('pivot-root') - 1);
  });

  it('binds the root of a bundle to itself', () => {
    const ops = plan({ root: { path: 'rootfs' } }, { root: undefined });
    const at = ops.findIndex((op) => op.op === 'set-root');
    expect(ops.slice(at - 1, at + 1)).toMatchObject([
      { op: 'bind', source: '/bundle/rootfs', target: '/bundle/rootfs', recursive: true },
      { op: 'set-root', path: '/bundle/rootfs' },
    ]);
  });

  it('counts ids of file systems as the host does', () => {
    const data = plan({}).flatMap((op) => (op.op === 'mount' ? [op.data] : []));
    expect(data).toEqual(['', 'mode=755,uid=100000,gid=100000', 'gid=100005']);
  });

  it('sets limits while there is power over the host, writes to no procfs but the host’s', () => {
    const limited = planProcess({
      oomScoreAdj: 7,
      rlimits: [{ type: 'RLIMIT_NOFILE', soft: 3, hard: 18446744073709551615n }],
    });
    const order = names(limited);
    expect(order.indexOf('rlimit')).toBe(order.indexOf('join user') - 1);
    expect(order.lastIndexOf('write')).toBeLessThan(order.indexOf('set-root'));
    expect(limited).toContainEqual({
      op: 'rlimit',
      resource: 7,
      soft: 3n,
      hard: 18446744073709551615n,
    });
  });

  it('stops where hooks run', () => {
    const hook = [{ path: '/bin/hook' }];
    const order = names(plan({ hooks: { createRuntime: hook, startContainer: hook } }));
    expect(order.indexOf('sync')).toBe(order.indexOf('pivot-root') - 1);
    expect(order.lastIndexOf('sync')).toBe(order.indexOf('join user') + 1);
  });

  it('follows the host’s mounts only if some mount wants to be told of them', () => {
    const mounts = [{ type: 'bind', source: '/x', destination: '/x', options: ['rslave'] }];
    const ops = plan({ mounts });
    expect(names(ops)).not.toContain('make-private');
    expect(ops).toContainEqual({
      op: 'set-mount',
      path: '/',
      recursivePropagation: 1n << 19n,
    });
  });

  it('resolves a subPath below its volume', () => {
    const mounts = [
      { type: 'bind', source: 'x', below: '/vol', destination: '/v', options: ['ro'] },
    ];
    expect(plan({ mounts })).toContainEqual(
      expect.objectContaining({ source: 'x', sourceBelow: '/vol', target: '/v', flags: 1 }),
    );
  });

  it('forks into a pid namespace that is there', () => {
    const namespaces = [{ type: 'mount' as const }, { type: 'pid' as const, path: '/ns/pid' }];
    const ops = plan({ hostname: '', linux: { namespaces } });
    expect(names(ops).slice(2, 5)).toEqual(['open-space pid', 'join pid', 'fork']);
  });

  it('is asked for with the namespaces, the terminal and the listener of the configuration', () => {
    const state = { id: 'web', status: 'creating', bundle: '/b' } as const;
    expect(planRequest(spec, state)).toEqual({ terminal: false, namespaces: ['mount', 'pid'] });
    const consoleSize = { width: 120, height: 33 };
    const seccomp = { defaultAction: 'SCMP_ACT_ALLOW', listenerPath: '/l' } as const;
    const other = {
      ...{ ociVersion: '1.2.0', annotations: { a: '\u0001' } },
      process: { ...process, terminal: true, consoleSize },
      linux: { namespaces: [{ type: 'mount' }], seccomp },
    } as const;
    const { listener, ...rest } = planRequest(other, state);
    const terminalSize = { columns: 120, rows: 33 };
    expect(rest).toEqual({ terminal: true, terminalSize, namespaces: ['mount'] });
    expect(listener?.path).toBe('/l');
    // As the shim does.
    expect(JSON.parse(listener?.message.replaceAll('\u0001', '77') ?? '')).toEqual({
      ...{ ociVersion: '1.2.0', fds: ['seccompFd'], pid: 77 },
      state: { ociVersion: '1.2.0', ...state, pid: 77, annotations: { a: '\u0001' } },
    });
  });

  it('shows the container’s own cgroups, read-only with the tree around them if that is asked', () => {
    const cgroups = [{ controller: 'pids', path: '/cg/pids/web-0' }];
    const tree = (options: readonly string[]) => {
      const mounts = [{ type: 'cgroup', destination: '/sys/fs/cgroup', options }];
      return plan({ mounts, linux: { namespaces: [{ type: 'mount' }] }, hostname: '' }, { cgroups })
        .filter((op) => 'flags' in op || op.op === 'set-mount')
        .slice(0, 3);
    };
    expect(tree(['ro', 'nosuid'])).toMatchObject([
      { op: 'mount', fstype: 'tmpfs', flags: 2 },
      { op: 'bind', source: '/cg/pids/web-0', target: '/sys/fs/cgroup/pids', flags: 3 },
      { op: 'set-mount', path: '/sys/fs/cgroup', set: 1 },
    ]);
    expect(tree([])).toMatchObject([{ flags: 0 }, { flags: 0 }, { set: 0 }]);
  });
});

describe('what can’t be is said by the field’s name', () => {
  const rows: readonly [string, () => unknown, string][] = [
    ['no process', () => plan({ process: undefined }), 'process'],
    ['no mount namespace', () => planLinux({ namespaces: [] }), 'linux.namespaces'],
    ['a hostname for the host', () => planLinux({ namespaces: [{ type: 'mount' }] }), 'hostname'],
    [
      'a user unknown outside',
      () => planLinux({ devices: [{ path: '/dev/x', type: 'p', uid: 70_000 }] }),
      'linux.devices',
    ],
    ['SELinux', () => planProcess({ selinuxLabel: 'a:b:c' }), 'process.selinuxLabel'],
    ['AppArmor', () => planProcess({ apparmorProfile: 'x' }), 'process.apparmorProfile'],
    [
      'a limit twice',
      () =>
        planProcess({
          rlimits: [
            { type: 'RLIMIT_AS', soft: 1, hard: 1 },
            { type: 'RLIMIT_AS', soft: 1, hard: 1 },
          ],
        }),
      'process.rlimits',
    ],
    [
      'a limit of no name',
      () => planProcess({ rlimits: [{ type: 'RLIMIT_X', soft: 1, hard: 1 }] }),
      'process.rlimits',
    ],
    [
      'a capability of no name',
      () => planProcess({ capabilities: { ambient: ['CAP_FLY'] } }),
      'process.capabilities.ambient',
    ],
    [
      'a policy of no name',
      () => planProcess({ scheduler: { policy: 'SCHED_X' } }),
      'process.scheduler.policy',
    ],
    [
      'a class of no name',
      () => planProcess({ ioPriority: { class: 'X' } }),
      'process.ioPriority.class',
    ],
    [
      'a sysctl of the host',
      () => planLinux({ sysctl: { 'kernel.core_pattern': 'x' } }),
      'linux.sysctl[kernel.core_pattern]',
    ],
    [
      'a way out of net',
      () => planLinux({ sysctl: { 'net/../kernel/core_pattern': 'x' } }),
      'linux.sysctl[net/../kernel/core_pattern]',
    ],
    [
      'a sysctl with an injection',
      () => planLinux({ sysctl: { 'net.a+b=c': 'x' } }),
      'linux.sysctl[net.a+b=c]',
    ],
    [
      'offsets without a namespace',
      () => planLinux({ timeOffsets: { monotonic: { secs: 1 } } }),
      'linux.timeOffsets',
    ],
    [
      'a memory policy',
      () => planLinux({ memoryPolicy: { mode: 'x' } }),
      'linux.memoryPolicy.mode',
    ],
    ['a mount of no type', () => plan({ mounts: [{ destination: '/x' }] }), 'mounts[0].type'],
    [
      'half a map',
      () => plan({ mounts: [{ destination: '/x', type: 'bind', source: '/x', uidMappings: ids }] }),
      'mounts[0]',
    ],
    ['a label without SELinux', () => planLinux({ mountLabel: 'x' }), 'linux.mountLabel'],
    [
      'a domain name for the host',
      () => plan({ hostname: '', domainname: 'x', linux: { namespaces: [{ type: 'mount' }] } }),
      'domainname',
    ],
    [
      'a device without its numbers',
      () => planLinux({ devices: [{ path: '/dev/x', type: 'b', major: 3 }] }),
      'linux.devices',
    ],
    [
      'a bind of nothing',
      () => plan({ mounts: [{ destination: '/x', type: 'bind' }] }),
      'mounts[0].source',
    ],
    [
      'mapped ids of what is no bind',
      () =>
        plan({
          mounts: [{ destination: '/x', type: 'tmpfs', uidMappings: ids, gidMappings: ids }],
        }),
      'mounts[0]',
    ],
    [
      'the same for an option',
      () => plan({ mounts: [{ destination: '/x', type: 'cgroup', options: ['idmap'] }] }),
      'mounts[0]',
    ],
    [
      'a network device called as what every object has',
      () => planLinux({ netDevices: { constructor: {} } }),
      'linux.netDevices[constructor]',
    ],
    [
      'ids beyond those there are',
      () =>
        planLinux({
          uidMappings: [{ containerID: 0, hostID: 2 ** 32 - 1, size: 2 }],
        }),
      'mounts[1].options',
    ],
    ['a relative directory', () => planProcess({ cwd: 'x' }), 'process.cwd'],
  ];
  it.each(rows)('%s', (_, act, field) => {
    expect(act).toThrow(expect.objectContaining({ name: 'OciError', field }));
  });
});

describe('namespaces that are made for a container', () => {
  it('are owned by its user namespace, and held', () => {
    const namespaces = (['user', 'network', 'uts', 'mount'] as const).map((type) => ({ type }));
    const [own = []] = planSpaces({ ...spec, linux: { ...linux, namespaces } });
    expect(own).toEqual([
      { op: 'new-user', namespace: 'user', uidMap: '0 100000 65536\n', gidMap: '0 100000 65536\n' },
      { op: 'hold', namespace: 'user' },
      { op: 'join', namespace: 'user' },
      { op: 'unshare', namespaces: ['network', 'uts'] },
      { op: 'open-space', namespace: 'network', path: '/proc/self/ns/net' },
      { op: 'hold', namespace: 'network' },
      { op: 'open-space', namespace: 'uts', path: '/proc/self/ns/uts' },
      { op: 'hold', namespace: 'uts' },
      expect.objectContaining({ op: 'netlink' }),
    ]);
  });

  it('are none for those that have a path', () => {
    expect(planSpaces(spec)).toEqual([]);
  });

  it('are one more for each other map of a mount', () => {
    const other = [{ containerID: 0, hostID: 5, size: 1 }];
    const bind = { type: 'bind', source: '/x' };
    const mounts = [
      { ...bind, destination: '/a', uidMappings: ids, gidMappings: ids },
      { ...bind, destination: '/b', uidMappings: other, gidMappings: other },
      { ...bind, destination: '/c', uidMappings: other, gidMappings: other },
    ];
    expect(planSpaces({ ...spec, mounts })).toEqual([
      [
        { op: 'new-user', namespace: 8, uidMap: '0 5 1\n', gidMap: '0 5 1\n' },
        { op: 'hold', namespace: 8 },
      ],
    ]);
    const slots = plan({ mounts }).flatMap((op) => (op.op === 'bind' ? [op.idmapSlot] : []));
    expect(slots.slice(0, 3)).toEqual([undefined, 8, 8]);
  });
});

describe('a process beside the first', () => {
  it('enters the container, and has its own rights', () => {
    const ops = planExec(
      { ...process, terminal: true, execCPUAffinity: { initial: '0', final: '0-1,9' } },
      { container: 'web-0', linux, place },
    );
    expect(names(ops)).toEqual([
      'affinity',
      'write',
      'affinity',
      ...['network', 'ipc', 'uts', 'user'].map((type) => `open-space ${type}`),
      'join network',
      'join ipc',
      'join uts',
      'enter-container',
      'set-root',
      'new-keyring',
      'terminal',
      'new-session',
      'join user',
      'umask',
      'seccomp',
      'drop-bounding',
      'set-ids',
      'set-caps',
      'chdir',
      'exec',
    ]);
    const masks = ops.flatMap((op) => (op.op === 'affinity' ? [[...op.mask.slice(0, 2)]] : []));
    expect(masks).toEqual([
      [1, 0],
      [3, 2],
    ]);
  });
});

describe('a hook', () => {
  const hook = { path: '/bin/hook', args: ['its name', 'x'], env: ['A=b'] };
  const of = { container: 'web-0', spec, place } as const;

  it('of startContainer is a process beside the first, with the same rights', () => {
    const ops = planHook(hook, { ...of, kind: 'startContainer' });
    const { args, env } = hook;
    const beside = planExec({ ...process, args, env }, { container: 'web-0', linux, place });
    expect(ops.slice(0, -1)).toEqual(beside.slice(0, -1));
    expect(ops.at(-1)).toEqual({ op: 'exec', file: hook.path, argv: args, env });
  });

  it('of createContainer is in the container, and of the others outside', () => {
    const kinds = ['createContainer', 'createRuntime'] as const;
    const [inside, outside] = kinds.map((kind) => names(planHook(hook, { ...of, kind })));
    expect(inside?.slice(-5)).toEqual([
      ...['enter-container', 'set-root', 'chdir', 'new-session', 'exec'],
    ]);
    expect(outside).toEqual(['chdir', 'new-session', 'exec']);
  });
});
