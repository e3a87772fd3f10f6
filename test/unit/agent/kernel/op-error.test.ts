import { describe, expect, it } from 'vitest';
import type { Op } from '../../../../agent/kernel/op.ts';
import { opError } from '../../../../agent/kernel/op-error.ts';

const ops: readonly Op[] = [
  {
    op: 'mount',
    source: 'overlay',
    target: '/root',
    inRoot: false,
    create: false,
    fstype: 'overlay',
    flags: [],
    data: '',
  },
  { op: 'join', namespace: 'network' },
  { op: 'mkdir', path: '/etc', inRoot: true, mode: 0o755, uid: 0, gid: 0 },
  { op: 'exec', argv: ['sh', '-c', 'secret'], env: ['TOKEN=secret'] },
  { op: 'no-new-privs' },
];

const cases: readonly [number, string, string][] = [
  [-1, 'clone', 'start web: clone: EPERM (operation not permitted)'],
  [0, 'mount', 'mount overlay on /root: mount: EPERM (operation not permitted)'],
  [1, 'setns', 'join network namespace: setns: EPERM (operation not permitted)'],
  [2, 'mkdir', 'mkdir /etc: mkdir: EPERM (operation not permitted)'],
  [3, 'execve', 'exec sh: execve: EPERM (operation not permitted)'],
  [4, 'prctl', 'no-new-privs: prctl: EPERM (operation not permitted)'],
];

describe('an OpError', () => {
  for (const [index, stage, message] of cases)
    it(`says in words: ${message}`, () => {
      const error = opError('start web', ops, { index, stage, errno: 1 });
      expect([error.message, error.code]).toEqual([message, 'EPERM']);
    });
});
