import type { Kind } from '../../api/kind.ts';
import type { StoredMeta } from '../../api/object-meta.ts';
import type { ObjectKey, ServedKinds } from './objects.ts';

/** Everything that is an object of the API. */
export const objectsPrefix = '/orc/';

/** The controller that leads; see leader-mark.ts. */
export const leaderKey = '/orc/leader';
/** Written by the leader again and again. */
export const beatKey = `${leaderKey}/beat`;
/** Whether a key is about who leads: no part of what a store is kept for. */
export const isOfLeader = (key: string): boolean => key === leaderKey || key === beatKey;
/** The newest leader's epoch; it only grows. */
export const epochKey = '/orc/fence/epoch';

export const tokensPrefix = '/orc/tokens/';

/** `/orc/<group>/<plural>/<namespace>/<name>`; "core" for the core group, no namespace for cluster-scoped kinds. */
export function storeKey(kind: Pick<Kind, 'group' | 'plural'>, key: ObjectKey): string {
  const within = key.namespace === '' ? key.name : `${key.namespace}/${key.name}`;
  return `${kindPrefix(kind)}${within}`;
}

/** A claim's key is no object: no kind has the group "claims". */
export const claimKey = (claim: string): string => `${objectsPrefix}claims/${claim}`;

/** Finds kind and key of a store key; undefined for what is no object of these kinds. */
export function parseStoreKey(kinds: Pick<ServedKinds, 'at'>, key: string) {
  const [, prefix = '', namespace, name = ''] = pattern.exec(key) ?? [];
  const kind = kinds.at(prefix);
  if (!kind || kind.namespaced !== (namespace !== undefined)) return undefined;
  return { kind, key: { namespace: namespace ?? '', name } };
}

const pattern = /^(\/orc\/[^/]+\/[^/]+\/)(?:([^/]+)\/)?([^/]+)$/;

/** Where the store has the objects of a kind. */
export const kindPrefix = ({ group, plural }: Pick<Kind, 'group' | 'plural'>) =>
  `${objectsPrefix}${group === '' ? 'core' : group}/${plural}/`;

/** "namespace/name": how loops and people write a key. */
export const formatKey = ({ namespace, name }: ObjectKey): string => `${namespace}/${name}`;

export function parseKey(text: string): ObjectKey {
  const [namespace = '', name = ''] = text.split('/');
  return { namespace, name };
}

export const keyOf = ({ metadata }: { readonly metadata: StoredMeta }): ObjectKey => ({
  namespace: metadata.namespace ?? '',
  name: metadata.name,
});
