import { createCipheriv, createDecipheriv } from 'node:crypto';

/** How long a nonce is; each seals once only. */
export const nonceBytes = 12;
const headerBytes = nonceBytes + 16;

/** What seals: the same key and context open it again, so that nothing sealed can be put in another's place. */
type Seal = Readonly<{ key: Uint8Array; context: string }>;

/** AES-256-GCM: nonce, tag (16 bytes), ciphertext. */
export function seal(plain: Uint8Array, { key, context, nonce }: Seal & { nonce: Uint8Array }) {
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context));
  const text = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), text]);
}

/** Throws when it was sealed with another key or for another context, or was changed. */
export function unseal(sealed: Uint8Array, { key, context }: Seal): Buffer {
  if (sealed.byteLength < headerBytes) throw new Error(`${context}: not a sealed value`);
  const nonce = sealed.subarray(0, nonceBytes);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 })
    .setAAD(Buffer.from(context))
    .setAuthTag(sealed.subarray(nonceBytes, headerBytes));
  return Buffer.concat([decipher.update(sealed.subarray(headerBytes)), decipher.final()]);
}
