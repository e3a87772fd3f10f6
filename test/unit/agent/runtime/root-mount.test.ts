import { expect, it } from 'vitest';
import { planOverlay, planTmpfs } from '../../../../agent/runtime/root-mount.ts';

const root = {
  directory: '/data/a,b',
  mountPoints: '/run/mounts',
  layers: ['/layers/base', '/layers/top'],
};

it('stacks the layers with the top one first, idmapped', () => {
  const ops = planOverlay({ ...root, owner: 100_000 });
  expect(ops).toContainEqual(
    expect.objectContaining({
      fstype: 'overlay',
      data: 'lowerdir=1:0,upperdir=/data/a\\,b/upper,workdir=/data/a\\,b/work',
    }),
  );
  expect(ops).toContainEqual(
    expect.objectContaining({ source: '/layers/top', target: '1', idmap: true }),
  );
  expect(ops).toContainEqual(expect.objectContaining({ path: '/data/a,b/upper', uid: 100_000 }));
});

it('does the same without maps in the host’s user namespace', () => {
  const ops = planOverlay({ ...root, owner: undefined });
  expect(ops.filter((op) => op.op === 'bind' && op.idmap)).toEqual([]);
  expect(ops).toContainEqual(expect.objectContaining({ path: '/data/a,b/upper', uid: 0 }));
});

it('mounts memory for a pod’s containers, limited if asked', () => {
  const tmpfs = { target: '/run/x', mode: '1777', uid: 5, gid: 6 };
  const [unlimited] = planTmpfs({ ...tmpfs, sizeBytes: undefined });
  const [limited] = planTmpfs({ ...tmpfs, sizeBytes: 4096 });
  expect(unlimited).toMatchObject({ data: 'mode=1777,uid=5,gid=6' });
  expect(limited).toMatchObject({ data: 'mode=1777,uid=5,gid=6,size=4096' });
});
