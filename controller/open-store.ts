import { mkdir } from 'node:fs/promises';
import type { Base } from '../base/base.ts';
import { deferred } from '../base/deadline.ts';
import { type ControllerConfig, pathsOf } from './config.ts';
import { loadEtcdAccess } from './etcd-access.ts';
import { openEtcdStore } from './store/etcd-store.ts';
import { openSqliteStore } from './store/sqlite-store.ts';
import type { Store, StoreError } from './store/store.ts';

export interface OpenedStore {
  readonly store: Store;
  /** Rejects when the store can't go on: only a new process opens it again. */
  readonly failed: Promise<never>;
  /** Nobody else can have it open. */
  readonly isAlone: boolean;
}

/** etcd if the configuration names it, else the embedded store. */
export async function openStore(
  config: ControllerConfig,
  base: Base & {
    /** Of a store that is new. */
    readonly firstRevision?: number;
  },
): Promise<OpenedStore> {
  const failed = deferred<never>();
  failed.promise.catch(() => undefined);
  const isAlone = config.etcd === undefined;
  if (config.etcd) {
    // The keys still live there.
    await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
    const store = await openEtcdStore({ ...(await loadEtcdAccess(config.etcd)), ...base });
    return { store, failed: failed.promise, isAlone };
  }
  const onFailure = (error: StoreError) => failed.reject(error);
  const { store: path } = pathsOf(config.dataDir);
  const store = await openSqliteStore({ ...base, path, onFailure });
  return { store, failed: failed.promise, isAlone };
}
