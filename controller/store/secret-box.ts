import assert from 'node:assert';
import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Rng } from '../../base/rng.ts';

/** version (1 byte) · nonce (12) · tag (16) · ciphertext */
const version = 1;
const nonceBytes = 12;
const tagBytes = 16;
const headerBytes = 1 + nonceBytes + tagBytes;

export type SecretBox = ReturnType<typeof secretBox>;

/**
 * AES-256-GCM with the store key as associated data, so that no box can be put in another's place.
 * @param key 32 bytes, from the controller's data directory
 */
export function secretBox(key: Uint8Array, rng: Rng) {
  assert.equal(key.byteLength, 32);
  return {
    seal(plain: Uint8Array, context: string): Uint8Array {
      const nonce = rng.bytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context));
      const text = Buffer.concat([cipher.update(plain), cipher.final()]);
      return Buffer.concat([Buffer.of(version), nonce, cipher.getAuthTag(), text]);
    },
    /** Throws when the box was made with another key or for another context, or was changed. */
    open(box: Uint8Array, context: string): Uint8Array {
      if (box[0] !== version || box.byteLength < headerBytes)
        throw new Error(`${context}: not a sealed value`);
      const nonce = box.subarray(1, 1 + nonceBytes);
      const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
        .setAAD(Buffer.from(context))
        .setAuthTag(box.subarray(1 + nonceBytes, headerBytes));
      return Buffer.concat([decipher.update(box.subarray(headerBytes)), decipher.final()]);
    },
  };
}
