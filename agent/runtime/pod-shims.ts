import { connectShim, type Shim, ShimLost } from '../kernel/shim-client.ts';
import { podPaths, type RuntimeDirectories } from './pod-paths.ts';

/** Connections to the shims of this node's pods: made when first asked for, kept until the shim is gone. */
export type PodShims = ReturnType<typeof openPodShims>;

type Connection = Promise<Shim | undefined>;

export function openPodShims(dirs: RuntimeDirectories) {
  const shims = new Map<string, Connection>();
  const listeners: ((uid: string) => void)[] = [];
  const changed = (uid: string) => {
    for (const listener of listeners) listener(uid);
  };
  /** Another connection may have taken the place of this one meanwhile: that one stays. */
  const drop = (uid: string, connection: Connection) => {
    if (shims.get(uid) === connection) shims.delete(uid);
  };
  const keep = (uid: string, connection: Connection) => {
    shims.set(uid, connection);
    connection.then(
      (shim) => {
        if (!shim) return drop(uid, connection);
        shim.onExit(() => changed(uid));
        shim.onLost(() => {
          drop(uid, connection);
          changed(uid);
        });
      },
      () => drop(uid, connection),
    );
    return connection;
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
    /** undefined: nobody is there, or one from an agent of another time that can't be spoken to. */
    get: (uid: string) =>
      shims.get(uid) ?? keep(uid, connectShim(podPaths(dirs, uid).run).catch(unlessLost)),
    /** Takes over a connection to a shim that was just started. */
    adopt: (uid: string, shim: Shim) => void keep(uid, Promise.resolve(shim)),
    forget,
    /** Called with the pod's uid at each exit of a container and when a shim is lost. */
    onChange: (listener: (uid: string) => void) => void listeners.push(listener),
    /** Lets go of every connection; the shims go on. */
    close() {
      for (const uid of shims.keys()) forget(uid);
    },
  };
}

/** For a `catch`: undefined where the shim has gone. */
export function unlessLost(error: unknown): undefined {
  if (error instanceof ShimLost) return undefined;
  throw error;
}
