import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  KeyObject,
  type webcrypto,
} from 'node:crypto';

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

/** The order of P-256's group. */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/**
 * Another key of the same kind, for another purpose: always the same one of this key (PEM), which doesn't follow from it.
 * Who keeps, backs up or hands on the one has done so with the other.
 */
export function deriveKey(pem: string, purpose: string): KeyObject {
  const { d: secret = '' } = createPrivateKey(pem).export({ format: 'jwk' });
  // 16 bytes more than needed, so that the remainder is as good as evenly distributed (FIPS 186-5, A.2.1).
  const seed = Buffer.from(hkdfSync('sha256', secret, '', purpose, 48)).toString('hex');
  const number = (BigInt(`0x${seed}`) % (order - 1n)) + 1n;
  const scalar = Buffer.from(number.toString(16).padStart(64, '0'), 'hex');
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(scalar);
  const point = ecdh.getPublicKey();
  const parts = [point.subarray(1, 33), point.subarray(33), scalar];
  const [x = '', y = '', d = ''] = parts.map((part) => part.toString('base64url'));
  const key = { kty: 'EC', crv: 'P-256', x, y, d };
  return createPrivateKey({ format: 'jwk', key });
}
