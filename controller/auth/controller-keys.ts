import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ControllerKeys, joinPaths, mustParseJoinToken } from '../../api/join.ts';
import { readIfPresent, writeFileDurably } from '../../base/durable-file.ts';
import { postPinned } from '../../base/pinned-https.ts';
import type { Rng } from '../../base/rng.ts';
import { type Store, StoreError } from '../store/store.ts';
import { CaError } from './ca.ts';

export interface KeyPlaces {
  /** ca.key, ca.crt */
  readonly pki: string;
  readonly storeKey: string;
}

/** What a further controller must have: read for it, never kept in memory or in the store. */
export async function readControllerKeys(places: KeyPlaces): Promise<ControllerKeys> {
  const { caKey, ca } = paths(places);
  return {
    caKey: await readFile(caKey, 'utf8'),
    ca: await readFile(ca, 'utf8'),
    storeKey: (await readFile(places.storeKey)).toString('base64'),
  };
}

/**
 * Makes this a controller of the cluster of the token, unless it is one already. The certificate is written last: with it
 * a controller has joined. Throws PinnedHttpsError, UsageError.
 */
export async function joinControllers(
  by: { readonly server: string; readonly token: string },
  places: KeyPlaces,
): Promise<void> {
  const path = paths(places);
  if ((await readIfPresent(readFile(path.ca))) !== undefined) return;
  const { caHash } = mustParseJoinToken(by.token);
  const keys = (await postPinned({
    ...{ server: by.server, authorityPath: joinPaths.authority, authorityHash: caHash },
    ...{ path: joinPaths.controller, body: { token: by.token.trim() } },
  })) as ControllerKeys;
  await writeControllerKeys(keys, places);
}

export async function writeControllerKeys(keys: ControllerKeys, places: KeyPlaces): Promise<void> {
  await mkdir(places.pki, { recursive: true, mode: 0o700 });
  for (const file of controllerKeyFiles(keys, places)) await writeFileDurably(file);
}

/** In the order in which they are written. */
export function controllerKeyFiles({ storeKey, caKey, ca }: ControllerKeys, places: KeyPlaces) {
  const path = paths(places);
  return [
    { path: places.storeKey, bytes: Buffer.from(storeKey, 'base64'), mode: 0o600 },
    { path: path.caKey, bytes: caKey, mode: 0o600 },
    { path: path.ca, bytes: ca, mode: 0o644 },
  ];
}

const paths = ({ pki }: KeyPlaces) => ({ caKey: join(pki, 'ca.key'), ca: join(pki, 'ca.crt') });

const storeKeyBytes = 32;

/** The key that Secrets are sealed with: made once, kept beside the store and never in it. */
export async function ensureStoreKey(path: string, store: Store, rng: Rng): Promise<Uint8Array> {
  const stored = await readIfPresent(readFile(path));
  const isNew = (await store.revision()) === 0;
  if (stored && stored.length !== storeKeyBytes)
    throw new StoreError('Corrupt', `${path} is damaged: restore it from a backup`);
  if (stored && isNew)
    throw new StoreError(
      'Corrupt',
      `the store is empty, but there is ${path}: put the store back; for a new cluster, empty the data directory`,
    );
  if (stored) return stored;
  if (!isNew)
    throw new StoreError(
      'Corrupt',
      `${path} is gone: the store's Secrets can't be read; put it back, or join with --join`,
    );
  const bytes = rng.bytes(storeKeyBytes);
  await writeFileDurably({ path, bytes, mode: 0o600 });
  return bytes;
}

const authorityKey = '/orc/authority';

/** One store has one authority: two controllers that were both started as the first must not share it. Throws CaError. */
export async function checkAuthority(store: Store, caHash: string): Promise<void> {
  const outcome = await store.commit({
    expect: [{ key: authorityKey, revision: 0 }],
    puts: [{ key: authorityKey, value: Buffer.from(caHash) }],
    deletes: [],
  });
  if (outcome.committed || Buffer.from(outcome.current?.value ?? '').toString() === caHash) return;
  throw new CaError(
    'ForeignStore',
    "the store is of another cluster: empty this controller's data directory and start it with --join",
  );
}
