import { describe, expect, it } from 'vitest';
import type { Op } from '../../../../agent/kernel/op.ts';
import type { OciConfig } from '../../../../agent/runtime/oci-config.ts';
import { planExec, planStart, planTmpfs } from '../../../../agent/runtime/operations.ts';

const config: OciConfig = {
  process: {
    terminal: false,
    args: ['/bin/true'],
    env: ['A=b'],
    cwd: '/work',
    user: { uid: 33, gid: 34, additionalGids: [34, 50] },
    capabilities: ['CHOWN', 'KILL'],
    noNewPrivileges: false,
  },
  root: { readonly: false },
  hostname: 'shop',
  mounts: [
    { type: 'proc', destination: '/proc', options: ['nosuid'], fsOptions: '' },
    { type: 'bind', destination: '/v', source: '/vol', subPath: 'x', options: ['ro'] },
  ],
  linux: {
    uidMappings: { hostID: 100_000, size: 65_536 },
    joins: ['network', 'ipc', 'uts', 'user'],
    devices: [{ path: '/dev/null', major: 1, minor: 3 }],
    seccomp: 'RuntimeDefault',
    maskedPaths: ['/proc/kcore'],
    readonlyPaths: ['/proc/sys'],
  },
};
const around = {
  directory: '/data/web-0',
  layers: ['/layers/base', '/layers/top'],
  attach: ['/cg/memory/web-0/cgroup.procs'],
  seccomp: Buffer.from([1]),
};
const names = (ops: readonly Op[]) =>
  ops.map((op) => {
    if (op.op === 'join') return `join ${op.namespace}`;
    if (op.op === 'mount') return `mount ${op.fstype}`;
    return op.op === 'bind' ? `bind ${op.target}` : op.op;
  });

describe('the start of a container', () => {
  it('goes from the outside in, and gives up power step by step', () => {
    expect(names(planStart(config, around))).toEqual([
      'write',
      'make-private',
      'join network',
      'join ipc',
      'join uts',
      'unshare',
      ...['chdir', 'mkdir', 'mkdir', 'mkdir', 'mkdir'],
      ...['mkdir', 'bind lower/0', 'mkdir', 'bind lower/1'],
      'mount overlay',
      'set-root',
      'mount proc',
      'bind /v',
      ...['mknod', 'symlink', 'symlink', 'symlink', 'symlink', 'symlink'],
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

  it('stacks the layers with the top one first, idmapped', () => {
    const ops = planStart(config, around);
    expect(ops).toContainEqual(
      expect.objectContaining({
        fstype: 'overlay',
        data: 'lowerdir=lower/1:lower/0,upperdir=upper,workdir=work',
      }),
    );
    expect(ops).toContainEqual(
      expect.objectContaining({ source: '/layers/top', target: 'lower/1', idmap: true }),
    );
    expect(ops).toContainEqual(expect.objectContaining({ path: 'upper', uid: 100_000 }));
  });

  it('does the same without maps in the host’s user namespace', () => {
    const shared = { ...config.linux, uidMappings: undefined, joins: ['ipc', 'uts'] as const };
    const ops = planStart({ ...config, linux: shared }, around);
    expect(names(ops).filter((name) => name.startsWith('join'))).toEqual(['join ipc', 'join uts']);
    expect(ops.filter((op) => op.op === 'bind' && op.idmap)).toEqual([]);
  });

  it('installs the filter last when rights can’t grow', () => {
    const process = { ...config.process, noNewPrivileges: true };
    expect(names(planStart({ ...config, process }, around)).slice(-4)).toEqual([
      'chdir',
      'no-new-privs',
      'seccomp',
      'exec',
    ]);
  });

  it('makes the root read-only after every mount point was made in it', () => {
    const order = names(planStart({ ...config, root: { readonly: true } }, around));
    expect(order.indexOf('read-only-root')).toBe(order.indexOf('pivot-root') - 1);
  });

  it('resolves a subPath below its volume', () => {
    expect(planStart(config, around)).toContainEqual(
      expect.objectContaining({ source: 'x', sourceBelow: '/vol', target: '/v', flags: ['ro'] }),
    );
  });

  it('leaves a process no inheritable or ambient capabilities', () => {
    expect(planStart(config, around)).toContainEqual({
      op: 'set-caps',
      effective: 0b100001n,
      permitted: 0b100001n,
      inheritable: 0n,
      ambient: 0n,
    });
  });
});

describe('a process beside the first', () => {
  it('enters the container, and has the first one’s rights', () => {
    const ops = planExec(
      { ...config.process, terminal: true },
      {
        container: 'web-0',
        attach: around.attach,
        joins: config.linux.joins,
        seccomp: around.seccomp,
      },
    );
    expect(names(ops)).toEqual([
      'write',
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
    expect(ops).toContainEqual({ op: 'new-session', controllingTerminal: true });
  });
});

it('mounts memory for a pod’s containers, limited if asked', () => {
  const tmpfs = { target: '/run/x', mode: '1777', uid: 5, gid: 6 };
  const [unlimited] = planTmpfs({ ...tmpfs, sizeBytes: undefined });
  const [limited] = planTmpfs({ ...tmpfs, sizeBytes: 4096 });
  expect(unlimited).toMatchObject({ data: 'mode=1777,uid=5,gid=6' });
  expect(limited).toMatchObject({ data: 'mode=1777,uid=5,gid=6,size=4096' });
});
