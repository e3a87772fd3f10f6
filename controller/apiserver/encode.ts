import type { AnyObject } from '../../api/kind.ts';

const objectJson = new WeakMap<AnyObject, string>();
const metadataJson = new WeakMap<AnyObject, string>();

/**
 * An object's JSON, made once for each object: objects from the cache are frozen, so identity says it all. Lists and
 * every watcher share it.
 */
export function encodeObject(object: AnyObject): string {
  return once(objectJson, object, () => JSON.stringify(object));
}

/** PartialObjectMetadata. */
export function encodeMetadata(object: AnyObject): string {
  return once(metadataJson, object, () =>
    JSON.stringify({
      kind: 'PartialObjectMetadata',
      apiVersion: 'meta.k8s.io/v1',
      metadata: object.metadata,
    }),
  );
}

function once<K extends object, V>(cache: WeakMap<K, V>, key: K, make: () => V): V {
  const known = cache.get(key);
  if (known !== undefined) return known;
  const value = make();
  cache.set(key, value);
  return value;
}
