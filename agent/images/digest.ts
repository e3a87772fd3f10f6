import { createHash } from 'node:crypto';

/** sha256:HEX, 64 lower-case digits. */
export type Digest = `sha256:${string}`;

const pattern = /^sha256:[0-9a-f]{64}$/;

/** Strict, because digests become file names: no other algorithm, no upper case, nothing shorter or longer. */
export const isDigest = (text: unknown): text is Digest =>
  typeof text === 'string' && pattern.test(text);

export const digestOf = (bytes: Uint8Array): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** The file name of a digest's content. */
export function digestHex(digest: string): string {
  if (!isDigest(digest)) throw new TypeError(`not a digest: ${digest}`);
  return digest.slice('sha256:'.length);
}
