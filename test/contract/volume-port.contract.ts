import { afterEach, beforeEach, expect, it } from 'vitest';
import type { VolumePort, VolumeSpec } from '../../agent/ports.ts';

export interface VolumeSubject {
  readonly volumes: VolumePort;
  close(): Promise<void>;
}

const owner = { uid: 1_000_000_000, gid: 1_000_000_000 };
const scratch: VolumeSpec = {
  name: 'scratch',
  owner,
  kind: 'empty-dir',
  medium: 'disk',
  sizeLimitBytes: undefined,
};

/** What every VolumePort does. `open` is called for each test. */
export function volumePortContract(open: () => Promise<VolumeSubject>): void {
  let subject: VolumeSubject;
  beforeEach(async () => {
    subject = await open();
  });
  afterEach(() => subject.close());

  it('makes a directory once, and lists its pod', async () => {
    const first = await subject.volumes.ensure('a', scratch);
    const path: unknown = expect.any(String);
    expect(first).toEqual({ kind: 'directory', name: 'scratch', path, readOnly: false });
    expect(await subject.volumes.ensure('a', scratch)).toEqual(first);
    expect(await subject.volumes.list()).toEqual(['a']);
  });

  it('keeps volumes of one pod and of several apart', async () => {
    const paths = await Promise.all([
      subject.volumes.ensure('a', scratch),
      subject.volumes.ensure('a', { ...scratch, name: 'other' }),
      subject.volumes.ensure('b', scratch),
    ]);
    expect(new Set(paths.map((p) => JSON.stringify(p))).size).toBe(3);
    expect([...(await subject.volumes.list())].sort()).toEqual(['a', 'b']);
  });

  it('leaves a volume in memory to the sandbox', async () => {
    const volume = { ...scratch, medium: 'memory', sizeLimitBytes: 4096 } as const;
    expect(await subject.volumes.ensure('a', volume)).toEqual({
      kind: 'tmpfs',
      name: 'scratch',
      sizeLimitBytes: 4096,
      ...owner,
    });
  });

  it('takes files, and takes them again when they have changed', async () => {
    const files = (text: string): VolumeSpec => ({
      name: 'config',
      owner,
      kind: 'files',
      files: [{ path: 'key', bytes: Buffer.from(text), mode: 0o644 }],
    });
    const first = await subject.volumes.ensure('a', files('one'));
    expect(first).toMatchObject({ kind: 'directory', readOnly: true });
    expect(await subject.volumes.ensure('a', files('two'))).toEqual(first);
  });

  it('removes a pod’s volumes, again and again', async () => {
    await subject.volumes.ensure('a', scratch);
    await subject.volumes.ensure('b', scratch);
    await subject.volumes.remove('a');
    await subject.volumes.remove('a');
    expect(await subject.volumes.list()).toEqual(['b']);
  });
}
