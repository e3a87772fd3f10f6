import type { AnyObject } from '../../api/kind.ts';

const objectJson = new WeakMap<AnyObject, string>();
const metadataJson = new WeakMap<AnyObject, string>();

/**
 * An object's JSON, made once for each object: objects from the cache are frozen, so identity says it all. Lists and
 * every watcher share it.
 */
export function encodeObject(object: AnyObject): string {
  return objectJson.getOrInsertComputed(object, JSON.stringify);
}

/** PartialObjectMetadata. */
export function encodeMetadata(object: AnyObject): string {
  return metadataJson.getOrInsertComputed(object, ({ metadata }) =>
    JSON.stringify({ kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata }),
  );
}
