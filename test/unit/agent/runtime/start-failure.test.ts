import { constants } from 'node:os';
import { expect, it } from 'vitest';
import type { Op } from '../../../../agent/kernel/op.ts';
import { opError } from '../../../../agent/kernel/op-error.ts';
import { startFailure } from '../../../../agent/runtime/container-error.ts';

const { ENOENT, EACCES, ENOEXEC, EPERM, ENOTDIR } = constants.errno;

const ops = (program: string): readonly Op[] => [
  { op: 'chdir', path: '/data/web-0' },
  { op: 'mkdir', path: '/work', inRoot: true, mode: 0o755, uid: 0, gid: 0 },
  { op: 'pivot-root' },
  { op: 'chdir', path: '/work' },
  { op: 'exec', argv: [program], env: [] },
];

const rows: readonly [string, number, number, string, string][] = [
  ['web', 4, ENOENT, 'StartError', 'exec: "web": executable file not found in $PATH'],
  ['/web', 4, ENOENT, 'StartError', 'exec: "/web": stat /web: no such file or directory'],
  ['web', 4, EACCES, 'StartError', 'exec: "web": permission denied'],
  ['web', 4, ENOEXEC, 'StartError', 'exec: "web": exec format error'],
  [
    'web',
    3,
    EACCES,
    'StartError',
    'chdir to cwd ("/work") set in config.json failed: permission denied',
  ],
  [
    'web',
    1,
    ENOTDIR,
    'StartError',
    'chdir to cwd ("/work") set in config.json failed: not a directory',
  ],
  ['web', 0, ENOENT, 'CreateContainerError', 'preparing the container'],
  ['web', 2, EPERM, 'CreateContainerError', 'preparing the container'],
  ['web', -1, EPERM, 'CreateContainerError', 'preparing the container'],
];
it.each(rows)(
  'of %s at operation %i with errno %i is a %s',
  (program, index, errno, reason, message) => {
    const list = ops(program);
    const error = opError('start web-0', list, { index, stage: 'x', errno });
    expect(startFailure(list, error)).toMatchObject({ reason, message, cause: error });
  },
);
