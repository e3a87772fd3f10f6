import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Op } from '../../../agent/kernel/op.ts';
import {
  bindDefaults,
  createSandbox,
  logPath,
  messages,
  type NativePod,
  overlayRoot,
  runContainer,
  startPod,
} from '../../support/native-pod.ts';

let pod: NativePod;
beforeAll(async () => {
  pod = await startPod();
  await createSandbox(pod);
  await pod.shim.run(overlayRoot(pod));
});
afterAll(() => pod.end());

const long = 'x'.repeat(70_000);
const tmpfs = { op: 'mount', source: 'x', fstype: 'tmpfs', flags: [], inRoot: false } as const;

/** More than a length of 16 bits holds, or more than the kernel takes: never cut off. */
describe('what is too long (6)', () => {
  it.for([
    ['a path', { ...bindDefaults, source: `/${long}`, target: '/tmp' }, 'ENAMETOOLONG'],
    ['a map of ids', { op: 'new-user', namespace: 'user', uidMap: long, gidMap: '' }, 'uid_map'],
    ['a host name', { op: 'names', hostname: long }, 'sethostname: EINVAL'],
    [
      'the options of a mount',
      { ...tmpfs, target: '/tmp', create: false, data: `${'size=9m,'.repeat(600)}size=1m` },
      'mount: E2BIG',
    ],
  ] as const satisfies readonly (readonly [string, Op, string])[])(
    'is refused: %s',
    async ([, op, problem]) => {
      const apart: Op = { op: 'unshare', namespaces: ['mount', 'uts'] };
      await expect(pod.shim.run([apart, op])).rejects.toThrow(problem);
    },
  );

  it('arrives whole where it may be long: arguments and environment', async () => {
    const argv = ['sh', '-c', `echo \${#1} \${#LONG}`, 'sh', long];
    const exec: Op = { op: 'exec', argv, env: ['PATH=/bin', `LONG=${long}`] };
    await runContainer(pod, { container: 'c', argv: [], last: [exec] });
    expect(messages(logPath(pod, 'c'), 'stdout')).toEqual(['70000 70000']);
  });
});
