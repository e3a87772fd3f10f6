import 'reflect-metadata';
import { createPublicKey, type webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

/** PEM each, as TLS wants them. */
export interface KeyPair {
  readonly key: string;
  readonly certificate: string;
}

/** ECDSA on P-256 with SHA-256: small, fast, and understood by every client. */
export const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export function newKey(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
}

export async function exportKey(key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

/** Of a private key, PEM. */
export async function importKeyPair(pem: string): Promise<webcrypto.CryptoKeyPair> {
  const spki = createPublicKey(pem).export({ type: 'spki', format: 'der' });
  const publicKey = await crypto.subtle.importKey('spki', spki, keyAlgorithm, true, ['verify']);
  return { privateKey: await importKey(pem), publicKey };
}

export function importKey(pem: string): Promise<CryptoKey> {
  const der = x509.PemConverter.decodeFirst(pem);
  return crypto.subtle.importKey('pkcs8', der, keyAlgorithm, true, ['sign']);
}
