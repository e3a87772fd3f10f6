import type { AnyObject, Kind } from '../../api/kind.ts';
import type { SecretBox } from './secret-box.ts';
import type { Entry } from './store.ts';

export type ObjectCodec = ReturnType<typeof objectCodec>;

/**
 * Objects as bytes: JSON without resourceVersion, which is the store's revision. Secrets are sealed: neither the
 * store's file nor its backup shows them.
 */
export const objectCodec = (box: SecretBox) => ({
  encode(kind: Kind, key: string, object: AnyObject): Uint8Array {
    const { resourceVersion: _, ...metadata } = object.metadata;
    // Not a Buffer: those of one pool would all travel to the store's thread together.
    const bytes = new TextEncoder().encode(JSON.stringify({ ...object, metadata }));
    return isSecret(kind) ? box.seal(bytes, key) : bytes;
  },
  decode(kind: Kind, { key, value, revision }: Entry): AnyObject {
    const bytes = isSecret(kind) ? box.open(value, key) : value;
    const object = JSON.parse(new TextDecoder().decode(bytes)) as AnyObject;
    return withRevision(object, revision);
  },
});

const isSecret = ({ group, kind }: Kind) => group === '' && kind === 'Secret';

/** As everyone reads it: frozen, and with its resourceVersion. */
export function withRevision(object: AnyObject, revision: number): AnyObject {
  const metadata = { ...object.metadata, resourceVersion: String(revision) };
  return deepFreeze({ ...object, metadata });
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) deepFreeze(part);
  return value;
}
