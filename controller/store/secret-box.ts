import assert from 'node:assert';
import type { Rng } from '../../base/rng.ts';
import { nonceBytes, seal, unseal } from '../../base/sealed.ts';

/** The first byte of a box. */
const version = 1;

export type SecretBox = ReturnType<typeof secretBox>;

/**
 * Seals with the store key as context, so that no box can be put in another's place.
 * @param key 32 bytes, from the controller's data directory
 */
export function secretBox(key: Uint8Array, rng: Rng) {
  assert.equal(key.byteLength, 32);
  return {
    seal: (plain: Uint8Array, context: string): Uint8Array =>
      Buffer.concat([
        Buffer.of(version),
        seal(plain, { key, context, nonce: rng.bytes(nonceBytes) }),
      ]),
    /** Throws when the box was made with another key or for another context, or was changed. */
    open(box: Uint8Array, context: string): Uint8Array {
      if (box[0] !== version) throw new Error(`${context}: not a sealed value`);
      return unseal(box.subarray(1), { key, context });
    },
  };
}
