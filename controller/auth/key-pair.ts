import { createPrivateKey, createPublicKey, KeyObject, type webcrypto } from 'node:crypto';

/** PEM each, as TLS wants them. */
export type KeyPair = Readonly<{ key: string; certificate: string }>;

/** ECDSA on P-256 with SHA-256: small, fast, and understood by every client. */
export const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export const newKey = (): Promise<webcrypto.CryptoKeyPair> =>
  crypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);

export const exportKey = (key: CryptoKey): string =>
  String(KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }));

/** Of a private key, PEM. */
export const importKeyPair = (pem: string): webcrypto.CryptoKeyPair => ({
  privateKey: importKey(pem),
  publicKey: createPublicKey(pem).toCryptoKey(keyAlgorithm, true, ['verify']),
});

export const importKey = (pem: string): CryptoKey =>
  createPrivateKey(pem).toCryptoKey(keyAlgorithm, true, ['sign']);
