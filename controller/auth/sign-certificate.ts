import type { Base } from '../../base/base.ts';
import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import { CaError, type LeafSubject } from './ca.ts';
import { importKey, type KeyPair, keyAlgorithm } from './key-pair.ts';

const dayMs = 24 * 60 * 60 * 1000;
const caLifeMs = 3650 * dayMs;
const leafLifeMs = 90 * dayMs;
/** Clocks of hosts differ; a fresh certificate must not be "not yet valid" for any of them. */
const backdatedMs = 5 * 60 * 1000;

const { keyCertSign, cRLSign, digitalSignature } = x509.KeyUsageFlags;

type Chance = Pick<Base, 'clock' | 'rng'>;

/** A new authority's certificate, PEM. */
export async function signItself(keys: webcrypto.CryptoKeyPair, chance: Chance): Promise<string> {
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...heading(chance, caLifeMs),
    name: [{ CN: ['orc cluster authority'] }],
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return certificate.toString('pem');
}

/** A leaf's certificate, PEM. */
export async function signLeaf(
  publicKey: CryptoKey,
  subject: LeafSubject,
  { authority, ...chance }: Chance & { readonly authority: KeyPair },
): Promise<string> {
  const issuer = new x509.X509Certificate(authority.certificate);
  const certificate = await x509.X509CertificateGenerator.create({
    ...heading(chance, leafLifeMs),
    subject: subjectName(subject),
    issuer: issuer.subject,
    publicKey,
    signingKey: importKey(authority.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(usages[subject.use]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer, false),
      ...alternativeNames(subject),
    ],
  });
  return certificate.toString('pem');
}

const heading = ({ clock, rng }: Chance, lifeMs: number) => ({
  serialNumber: serialNumber(rng),
  notBefore: new Date(clock.now() - backdatedMs),
  notAfter: new Date(clock.now() + lifeMs),
  signingAlgorithm: keyAlgorithm,
});

const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;
const usages = {
  client: [clientAuth],
  peer: [clientAuth, serverAuth],
  server: [serverAuth],
} satisfies Record<LeafSubject['use'], x509.ExtendedKeyUsage[]>;

const subjectName = (subject: LeafSubject): x509.JsonName =>
  subject.use !== 'server'
    ? [...subject.groups.map((group) => ({ O: [group] })), { CN: [subject.name] }]
    : [{ CN: [subject.name] }];

function alternativeNames(subject: LeafSubject): readonly x509.Extension[] {
  if (subject.use !== 'server') return [];
  const hosts = new Set([subject.name, ...subject.hosts]);
  const names = [...hosts].map((host) =>
    isIP(host) ? { type: 'ip' as const, value: host } : { type: 'dns' as const, value: host },
  );
  return [new x509.SubjectAlternativeNameExtension(names)];
}

/** 16 bytes, positive and without a leading zero: RFC 5280, 4.1.2.2. */
function serialNumber(rng: Base['rng']): string {
  const bytes = rng.bytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}

/** Of a certificate request. Throws CaError MalformedRequest, BadSignature, WeakKey. */
export async function keyOfRequest(csrPem: string): Promise<CryptoKey> {
  const request = parseRequest(csrPem);
  const key = await request.publicKey.export();
  const { name, namedCurve } = key.algorithm as webcrypto.EcKeyAlgorithm;
  if (name !== 'ECDSA' || namedCurve !== 'P-256')
    throw new CaError('WeakKey', `the request's key must be ECDSA on P-256, not ${name}`);
  if (!(await request.verify()))
    throw new CaError('BadSignature', 'the request is not signed by its own key');
  return key;
}

function parseRequest(csrPem: string): x509.Pkcs10CertificateRequest {
  try {
    return new x509.Pkcs10CertificateRequest(csrPem);
  } catch (cause) {
    throw new CaError('MalformedRequest', 'not a PKCS #10 certificate request', { cause });
  }
}
