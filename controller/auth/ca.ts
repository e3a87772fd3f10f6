import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { controllerTlsName, nodesGroup, nodeUser } from '../../api/join.ts';
import type { Clock } from '../../base/clock.ts';
import { readIfPresent, writeFileDurably } from '../../base/durable-file.ts';
import { ReasonError } from '../../base/reason-error.ts';
import type { Rng } from '../../base/rng.ts';
import {
  exportKey,
  importKey,
  importKeyPair,
  type KeyPair,
  keyAlgorithm,
  newKey,
} from './key-pair.ts';

/** The cluster's own certificate authority: the root of every identity in it. */
export interface CertificateAuthority {
  /** PEM. */
  readonly certificate: string;
  /** A new key and a certificate for it. */
  issue(subject: LeafSubject): Promise<KeyPair>;
  /** For a key that the node made itself; of the request nothing but the key is believed. Throws CaError. */
  signNode(csrPem: string, nodeName: string): Promise<string>;
}

export type LeafSubject =
  /** Listeners: the DNS names and addresses at which they are dialled; `name` is one of them by itself. */
  | { readonly use: 'server'; readonly name: string; readonly hosts: readonly string[] }
  | { readonly use: 'client'; readonly name: string; readonly groups: readonly string[] };

/** For the listeners of a controller, which clients dial at these hosts, and agents by its one name. */
export const controllerSubject = (hosts: readonly string[]): LeafSubject => ({
  use: 'server',
  name: controllerTlsName,
  hosts,
});

/** Closed table: what can be wrong with a certificate request, or with the authority. */
export type CaErrorReason =
  | 'MalformedRequest'
  | 'BadSignature'
  | 'WeakKey'
  | 'KeyLost'
  | 'Damaged'
  | 'ForeignStore';

export class CaError extends ReasonError<CaErrorReason> {
  override readonly name = 'CaError';
}

export interface CaOptions {
  /** Made with mode 0700; holds ca.key (0600) and ca.crt. */
  readonly dir: string;
  readonly clock: Clock;
  readonly rng: Rng;
}

const dayMs = 24 * 60 * 60 * 1000;
const caLifeMs = 3650 * dayMs;
const leafLifeMs = 90 * dayMs;
/** Clocks of hosts differ; a fresh certificate must not be "not yet valid" for any of them. */
const backdatedMs = 5 * 60 * 1000;

/** The authority in `dir`, made on first use. Throws CaError KeyLost, Damaged. */
export async function openCa(options: CaOptions): Promise<CertificateAuthority> {
  await mkdir(options.dir, { recursive: true, mode: 0o700 });
  const stored = (await readCa(options.dir)) ?? (await createCa(options));
  const { certificate, key } = await parseCa(stored, options.dir);
  const issuer: Issuer = {
    subject: certificate.subject,
    key,
    authorityId: await x509.AuthorityKeyIdentifierExtension.create(certificate, false),
    clock: options.clock,
    rng: options.rng,
  };
  return {
    certificate: stored.certificate,
    async issue(subject) {
      const keys = await newKey();
      const signed = await sign(issuer, keys.publicKey, subject);
      return { key: await exportKey(keys.privateKey), certificate: signed };
    },
    async signNode(csrPem, nodeName) {
      const key = await keyOfRequest(csrPem);
      return sign(issuer, key, { use: 'client', name: nodeUser(nodeName), groups: [nodesGroup] });
    },
  };
}

async function readCa(dir: string): Promise<KeyPair | undefined> {
  const key = await readIfPresent(readFile(join(dir, 'ca.key'), 'utf8'));
  const certificate = await readIfPresent(readFile(join(dir, 'ca.crt'), 'utf8'));
  if (!certificate) return undefined;
  // A new authority would lock out every node and user of this one.
  if (!key) throw new CaError('KeyLost', `${dir}: there is ca.crt but no ca.key: put it back`);
  return { key, certificate };
}

async function parseCa({ key, certificate }: KeyPair, dir: string) {
  try {
    return {
      key: await importKey(key),
      certificate: new x509.X509Certificate(certificate),
    };
  } catch (cause) {
    const message = `${dir}: ca.key or ca.crt is damaged: restore both from a backup`;
    throw new CaError('Damaged', message, { cause });
  }
}

/** With the key that is there: tokens pin it, and what it has signed stays valid under the new certificate. */
async function createCa({ dir, clock, rng }: CaOptions): Promise<KeyPair> {
  const pem = await readIfPresent(readFile(join(dir, 'ca.key'), 'utf8'));
  const keys = pem === undefined ? await newKey() : await importKeyPair(pem);
  const now = clock.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(rng),
    name: [{ CN: ['orc cluster authority'] }],
    notBefore: new Date(now - backdatedMs),
    notAfter: new Date(now + caLifeMs),
    signingAlgorithm: keyAlgorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const pair = { key: await exportKey(keys.privateKey), certificate: certificate.toString('pem') };
  await writeFileDurably({ path: join(dir, 'ca.key'), bytes: pair.key, mode: 0o600 });
  await writeFileDurably({ path: join(dir, 'ca.crt'), bytes: pair.certificate, mode: 0o644 });
  return pair;
}

interface Issuer {
  readonly subject: string;
  readonly key: CryptoKey;
  readonly authorityId: x509.AuthorityKeyIdentifierExtension;
  readonly clock: Clock;
  readonly rng: Rng;
}

async function sign(issuer: Issuer, publicKey: CryptoKey, subject: LeafSubject): Promise<string> {
  const now = issuer.clock.now();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(issuer.rng),
    subject: subjectName(subject),
    issuer: issuer.subject,
    notBefore: new Date(now - backdatedMs),
    notAfter: new Date(now + leafLifeMs),
    signingAlgorithm: keyAlgorithm,
    publicKey,
    signingKey: issuer.key,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage[`${subject.use}Auth`]]),
      issuer.authorityId,
      ...alternativeNames(subject),
    ],
  });
  return certificate.toString('pem');
}

const subjectName = (subject: LeafSubject): x509.JsonName =>
  subject.use === 'client'
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
function serialNumber(rng: Rng): string {
  const bytes = rng.bytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}

async function keyOfRequest(csrPem: string): Promise<CryptoKey> {
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
