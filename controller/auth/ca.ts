import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { controllerTlsName, nodesGroup, nodeUser } from '../../api/join.ts';
import type { Base } from '../../base/base.ts';
import { readIfPresent, writeFileDurably } from '../../base/durable-file.ts';
import { ReasonError } from '../../base/reason-error.ts';
import { deriveKey, exportKey, importKeyPair, type KeyPair, newKey } from './key-pair.ts';

/** The cluster's own certificate authority: the root of every identity in it. */
export type CertificateAuthority = Awaited<ReturnType<typeof openCa>>;

export type LeafSubject =
  /** Listeners: the DNS names and addresses at which they are dialled; `name` is one of them by itself. */
  | { readonly use: 'server'; readonly name: string; readonly hosts: readonly string[] }
  /** A peer is a client that serves others of its kind, which know it by its name. */
  | { readonly use: 'client' | 'peer'; readonly name: string; readonly groups: readonly string[] };

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

export interface CaOptions extends Pick<Base, 'clock' | 'rng'> {
  /** Made with mode 0700; holds ca.key (0600) and ca.crt. */
  readonly dir: string;
}

/** The authority in `dir`, made on first use. Throws CaError KeyLost, Damaged. */
export async function openCa(options: CaOptions) {
  await mkdir(options.dir, { recursive: true, mode: 0o700 });
  const stored = (await readCa(options.dir)) ?? (await createCa(options));
  checkCa(stored, options.dir);
  const authority = { ...options, authority: stored };
  return {
    /** PEM. */
    certificate: stored.certificate,
    /** That ServiceAccounts' tokens are signed with. */
    tokenKey: deriveKey(stored.key, 'orc service account tokens'),
    /** A new key and a certificate for it. */
    async issue(subject: LeafSubject): Promise<KeyPair> {
      const keys = await newKey();
      const certificate = await (await signing()).signLeaf(keys.publicKey, subject, authority);
      return { key: exportKey(keys.privateKey), certificate };
    },
    /** For a key that the node made itself; of the request nothing but the key is believed. Throws CaError. */
    async signNode(csrPem: string, nodeName: string): Promise<string> {
      const { keyOfRequest, signLeaf } = await signing();
      const subject = { use: 'peer', name: nodeUser(nodeName), groups: [nodesGroup] } as const;
      return signLeaf(await keyOfRequest(csrPem), subject, authority);
    },
  };
}

/** Loaded by the first who has something signed: a third of what a controller would load at each start. */
const signing = () => import('./sign-certificate.ts');

async function readCa(dir: string): Promise<KeyPair | undefined> {
  const key = await readIfPresent(readFile(join(dir, 'ca.key'), 'utf8'));
  const certificate = await readIfPresent(readFile(join(dir, 'ca.crt'), 'utf8'));
  if (!certificate) return undefined;
  // A new authority would lock out every node and user of this one.
  if (!key) throw new CaError('KeyLost', `${dir}: there is ca.crt but no ca.key: put it back`);
  return { key, certificate };
}

function checkCa({ key, certificate }: KeyPair, dir: string): void {
  try {
    if (new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) return;
    throw new Error('the certificate is not of this key');
  } catch (cause) {
    const message = `${dir}: ca.key or ca.crt is damaged: restore both from a backup`;
    throw new CaError('Damaged', message, { cause });
  }
}

/** With the key that is there: tokens pin it, and what it has signed stays valid under the new certificate. */
async function createCa({ dir, clock, rng }: CaOptions): Promise<KeyPair> {
  const pem = await readIfPresent(readFile(join(dir, 'ca.key'), 'utf8'));
  const keys = pem === undefined ? await newKey() : importKeyPair(pem);
  const certificate = await (await signing()).signItself(keys, { clock, rng });
  const pair = { key: exportKey(keys.privateKey), certificate };
  await writeFileDurably({ path: join(dir, 'ca.key'), bytes: pair.key, mode: 0o600 });
  await writeFileDurably({ path: join(dir, 'ca.crt'), bytes: pair.certificate, mode: 0o644 });
  return pair;
}
