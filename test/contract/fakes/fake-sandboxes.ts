import type { Op } from '../../../agent/kernel/op.ts';
import type { Sandbox, SandboxPort, SandboxSpec } from '../../../agent/ports.ts';
import { SandboxError } from '../../../agent/runtime/container-error.ts';
import { scriptedExec } from '../../support/scripted-exec.ts';

/** Sandboxes in memory. Keep the object over a simulated restart of the agent: it stands for the host. */
export interface FakeSandboxes extends SandboxPort {
  readonly specs: ReadonlyMap<string, SandboxSpec>;
  /** What ran in each pod's network namespace, in order. */
  readonly networkOps: ReadonlyMap<string, readonly Op[]>;
  /** Its shim dies, and with it everything that runs in the pod. */
  lose(uid: string): void;
  /** Called with the pod's uid when a sandbox is lost or removed. */
  onGone(listener: (uid: string, how: 'lost' | 'removed') => void): void;
}

export function fakeSandboxes(): FakeSandboxes {
  const specs = new Map<string, SandboxSpec>();
  const lost = new Set<string>();
  const networkOps = new Map<string, Op[]>();
  const listeners: ((uid: string, how: 'lost' | 'removed') => void)[] = [];
  const tell = (uid: string, how: 'lost' | 'removed') => {
    for (const listener of listeners) listener(uid, how);
  };
  const sandboxOf = (spec: SandboxSpec): Sandbox => ({
    uid: spec.uid,
    state: lost.has(spec.uid) ? 'lost' : 'ready',
    networkNamespace:
      spec.hostNetwork || lost.has(spec.uid) ? undefined : `/proc/fake/${spec.uid}/net`,
    userNamespace: spec.userNamespace,
  });
  return {
    specs,
    networkOps,
    async ensure(spec, signal) {
      signal.throwIfAborted();
      if (lost.has(spec.uid))
        throw new SandboxError('SandboxLost', `sandbox ${spec.uid} is lost: remove it first`);
      const { resolvConf, hosts } = spec;
      specs.set(spec.uid, { ...(specs.get(spec.uid) ?? spec), resolvConf, hosts });
      return sandboxOf(specs.get(spec.uid) ?? spec);
    },
    async find(uid) {
      const spec = specs.get(uid);
      return spec && sandboxOf(spec);
    },
    list: async () => [...specs.values()].map(sandboxOf),
    async runInNetwork(uid, ops) {
      if (!specs.has(uid)) throw new SandboxError('UnknownSandbox', `no sandbox ${uid}`);
      if (lost.has(uid)) throw new SandboxError('SandboxLost', `sandbox ${uid} is lost`);
      networkOps.set(uid, [...(networkOps.get(uid) ?? []), ...ops]);
    },
    async dial(uid, port) {
      if (!specs.has(uid)) throw new SandboxError('UnknownSandbox', `no sandbox ${uid}`);
      if (lost.has(uid)) throw new SandboxError('SandboxLost', `sandbox ${uid} is lost`);
      const connection = scriptedExec();
      connection.fail(
        new SandboxError('ConnectionRefused', `port ${port} refuses connections in the pod`),
      );
      return connection.session;
    },
    async remove(uid) {
      if (!specs.delete(uid)) return;
      lost.delete(uid);
      networkOps.delete(uid);
      tell(uid, 'removed');
    },
    lose(uid) {
      lost.add(uid);
      tell(uid, 'lost');
    },
    onGone: (listener) => void listeners.push(listener),
  };
}
