import type { Shim } from '../kernel/shim.ts';
import { connectShim, ShimLost } from '../kernel/shim-client.ts';
import { podPaths, type RuntimeDirectories } from './pod-paths.ts';

/** Connections to the shims of this node's pods: made when first asked for, kept until the shim is gone. */
export interface PodShims {
  /** undefined: nobody is there, or one from an agent of another time that can't be spoken to. */
  get(uid: string): Promise<Shim | undefined>;
  /** Takes over a connection to a shim that was just started. */
  adopt(uid: string, shim: Shim): void;
  forget(uid: string): void;
  /** Called with the pod's uid at each exit of a container and when a shim is lost. */
  onChange(listener: (uid: string) => void): void;
  /** Lets go of every connection; the shims go on. */
  close(): void;
}

export function openPodShims(dirs: RuntimeDirectories): PodShims {
  const shims = new Map<string, Promise<Shim | undefined>>();
  const listeners: ((uid: string) => void)[] = [];
  const changed = (uid: string) => {
    for (const listener of listeners) listener(uid);
  };
  const watch = (uid: string, shim: Shim) => {
    shim.onExit(() => changed(uid));
    shim.onLost(() => {
      shims.delete(uid);
      changed(uid);
    });
  };
  const connect = async (uid: string) => {
    const shim = await connectShim(podPaths(dirs, uid).run).catch(unlessLost);
    if (shim) watch(uid, shim);
    return shim;
  };
  const get = async (uid: string): Promise<Shim | undefined> => {
    const connection = shims.get(uid) ?? connect(uid);
    shims.set(uid, connection);
    try {
      const shim = await connection;
      if (shim === undefined) shims.delete(uid);
      return shim;
    } catch (error) {
      shims.delete(uid);
      throw error;
    }
  };
  const forget = (uid: string) => {
    const connection = shims.get(uid);
    shims.delete(uid);
    connection?.then(
      (shim) => shim?.disconnect(),
      () => undefined,
    );
  };
  return {
    get,
    adopt(uid, shim) {
      watch(uid, shim);
      shims.set(uid, Promise.resolve(shim));
    },
    forget,
    onChange: (listener) => void listeners.push(listener),
    close() {
      for (const uid of shims.keys()) forget(uid);
    },
  };
}

function unlessLost(error: unknown): undefined {
  if (error instanceof ShimLost) return undefined;
  throw error;
}
