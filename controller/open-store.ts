import { mkdir } from 'node:fs/promises';
import type { Base } from '../base/base.ts';
import { type ControllerConfig, pathsOf } from './config.ts';
import { loadEtcdAccess, silenceMsOf } from './etcd-access.ts';
import { openEtcdStore } from './store/etcd-store.ts';
import type { Side } from './store/migrate.ts';
import { openSqliteStore } from './store/sqlite-store.ts';
import type { StoreError } from './store/store.ts';

/**
 * etcd if the configuration names it, else the embedded store. `failed` rejects when the store can't go on: only a new
 * process opens it again.
 */
export async function openStore(
  { etcd, dataDir }: ControllerConfig,
  options: Base & {
    /** Of a store that is new. */
    readonly firstRevision?: number;
  },
) {
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  // The keys still live there.
  if (etcd) await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const { store: path } = pathsOf(dataDir);
  const onFailure = (error: StoreError) => failed.reject(error);
  const store = etcd
    ? await openEtcdStore({ ...(await loadEtcdAccess(etcd)), ...options })
    : await openSqliteStore({ ...options, path, onFailure });
  const [name, isShared] = [etcd?.urls.join() ?? path, etcd !== undefined];
  const side: Side = { store, name, isShared, silenceMs: silenceMsOf(etcd) };
  return { ...side, failed: failed.promise };
}
