import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Op } from '../../../agent/kernel/op.ts';
import { bindDefaults, type NativePod, startPod } from '../../support/native-pod.ts';

let pod: NativePod;
beforeAll(async () => {
  pod = await startPod();
  mkdirSync(`${pod.dir}/fake/self/attr`, { recursive: true });
});
afterAll(() => pod.end());

/** In a mount namespace of their own, where something poses as a part of procfs; what was written there. */
async function written(over: string, write: Omit<Op & { op: 'write' }, 'op' | 'bytes'>) {
  const fake = { file: `${pod.dir}/fake/self/attr/exec`, directory: `${pod.dir}/fake` };
  writeFileSync(fake.file, '');
  const bind = (source: string): Op => ({ ...bindDefaults, source, target: over });
  const run = pod.shim.run([
    { op: 'unshare', namespaces: ['mount'] },
    { op: 'make-private' },
    bind(over === '/proc' ? fake.directory : fake.file),
    { op: 'write', ...write, bytes: Buffer.from('100') },
  ]);
  const problem = await run.then(
    () => '',
    (error: Error) => error.message,
  );
  return [readFileSync(fake.file, 'utf8'), problem] as const;
}

describe('what is written to procfs (13)', () => {
  it.for([
    ['a file of it', '/proc/self/oom_score_adj', 'self/oom_score_adj'],
    ['all of it', '/proc', 'self/attr/exec'],
  ] as const)('does not land in what covers %s', async ([, over, path]) => {
    const refused = expect.stringMatching(/^write .*: open: EXDEV/);
    expect(await written(over, { path, proc: true })).toEqual(['', refused]);
  });

  it.for([
    ['a file of it', '/proc/self/oom_score_adj', '/proc/self/oom_score_adj'],
    ['all of it', '/proc', '/proc/self/attr/exec'],
  ] as const)('(without the check, it lands in what covers %s)', async ([, over, path]) => {
    expect(await written(over, { path })).toEqual(['100', '']);
  });

  it('does not leave procfs by its links', async () => {
    writeFileSync(`${pod.dir}/target`, '');
    const write = { op: 'write', bytes: Buffer.from('100'), proc: true } as const;
    for (const path of [`self/root${pod.dir}/target`, `../${pod.dir}/target`, `self/cwd/x`])
      await expect(pod.shim.run([{ ...write, path }])).rejects.toThrow(/open: (ELOOP|EXDEV)/);
    expect(readFileSync(`${pod.dir}/target`, 'utf8')).toBe('');
  });
});
