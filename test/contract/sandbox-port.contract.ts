import { afterEach, beforeEach, expect, it } from 'vitest';
import { loopbackUp } from '../../agent/kernel/rtnetlink.ts';
import type { SandboxPort, SandboxSpec } from '../../agent/ports.ts';
import { noLimits } from '../support/container-spec.ts';

export interface SandboxSubject {
  readonly sandboxes: SandboxPort;
  /** Kills the pod's shim behind the port's back. */
  lose(uid: string): Promise<void>;
  close(): Promise<void>;
}

const never = new AbortController().signal;

export function sandboxSpec(uid: string, over: Partial<SandboxSpec> = {}): SandboxSpec {
  return {
    uid,
    namespace: 'default',
    name: `pod-${uid}`,
    hostname: `pod-${uid}`,
    userNamespace: { firstId: 1_000_000_000, size: 65_536 },
    hostNetwork: false,
    resources: noLimits,
    resolvConf: 'nameserver 10.96.0.10\n',
    hosts: '127.0.0.1 localhost\n',
    ...over,
  };
}

/** What every SandboxPort does. `open` is called for each test. */
export function sandboxPortContract(open: () => Promise<SandboxSubject>): void {
  let subject: SandboxSubject;
  beforeEach(async () => {
    subject = await open();
  });
  afterEach(() => subject.close());

  it('lists nothing at first', async () => {
    expect(await subject.sandboxes.list()).toEqual([]);
  });

  it('makes a ready sandbox, lists it, and makes it only once', async () => {
    const made = await subject.sandboxes.ensure(sandboxSpec('a'), never);
    expect(made).toEqual({
      uid: 'a',
      state: 'ready',
      networkNamespace: expect.any(String),
      userNamespace: { firstId: 1_000_000_000, size: 65_536 },
    });
    expect(await subject.sandboxes.ensure(sandboxSpec('a'), never)).toEqual(made);
    expect(await subject.sandboxes.list()).toEqual([made]);
    expect(await subject.sandboxes.find('a')).toEqual(made);
    expect(await subject.sandboxes.find('b')).toBeUndefined();
  });

  it('gives no network namespace to a pod that shares the host’s', async () => {
    const spec = sandboxSpec('a', { hostNetwork: true, userNamespace: undefined });
    const made = await subject.sandboxes.ensure(spec, never);
    expect(made).toMatchObject({ networkNamespace: undefined, userNamespace: undefined });
  });

  it('makes nothing for a caller that has given up', async () => {
    await expect(subject.sandboxes.ensure(sandboxSpec('a'), AbortSignal.abort())).rejects.toThrow();
    expect(await subject.sandboxes.list()).toEqual([]);
  });

  it('reports a sandbox whose shim died as lost, and refuses to go on with it', async () => {
    await subject.sandboxes.ensure(sandboxSpec('a'), never);
    await subject.lose('a');
    expect(await subject.sandboxes.list()).toEqual([
      expect.objectContaining({ uid: 'a', state: 'lost', networkNamespace: undefined }),
    ]);
    await expect(subject.sandboxes.ensure(sandboxSpec('a'), never)).rejects.toMatchObject({
      reason: 'SandboxLost',
    });
    await expect(subject.sandboxes.runInNetwork('a', [])).rejects.toMatchObject({
      reason: 'SandboxLost',
    });
  });

  it('removes a ready, a lost and an unknown sandbox, again and again', async () => {
    await subject.sandboxes.ensure(sandboxSpec('a'), never);
    await subject.sandboxes.ensure(sandboxSpec('b'), never);
    await subject.lose('b');
    for (const uid of ['a', 'b', 'unknown', 'a']) await subject.sandboxes.remove(uid);
    expect(await subject.sandboxes.list()).toEqual([]);
  });

  it('makes a removed sandbox anew', async () => {
    await subject.sandboxes.ensure(sandboxSpec('a'), never);
    await subject.sandboxes.remove('a');
    await subject.sandboxes.ensure(sandboxSpec('a'), never);
    expect(await subject.sandboxes.list()).toEqual([
      expect.objectContaining({ uid: 'a', state: 'ready' }),
    ]);
  });

  it('dials into a sandbox that is there, and says when nobody listens', async () => {
    await subject.sandboxes.ensure(sandboxSpec('a'), never);
    const connection = await subject.sandboxes.dial('a', 81);
    await expect(connection.exited).rejects.toMatchObject({
      reason: 'ConnectionRefused',
      message: 'port 81 refuses connections in the pod',
    });
    await expect(subject.sandboxes.dial('b', 81)).rejects.toMatchObject({
      reason: 'UnknownSandbox',
    });
  });

  it('runs operations in a sandbox that is there, and says when there is none', async () => {
    await subject.sandboxes.ensure(sandboxSpec('a'), never);
    await subject.sandboxes.runInNetwork('a', [{ op: 'netlink', messages: loopbackUp() }]);
    await expect(subject.sandboxes.runInNetwork('b', [])).rejects.toMatchObject({
      reason: 'UnknownSandbox',
    });
  });
}
