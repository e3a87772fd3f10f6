import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { isDue } from '../../base/certificate-life.ts';
import { type Clock, repeat } from '../../base/clock.ts';
import { readIfPresent, writeFileDurably } from '../../base/durable-file.ts';
import type { Log } from '../../base/log.ts';
import type { CertificateAuthority, LeafSubject } from './ca.ts';
import type { KeyPair } from './key-pair.ts';

export interface LeafOptions {
  readonly ca: CertificateAuthority;
  /** Holds `FILE.key` (0600) and `FILE.crt`. */
  readonly dir: string;
  readonly file: string;
  readonly subject: LeafSubject;
  readonly clock: Clock;
}

/** The stored pair; a new one when there is none, when its names are others, or when it has to be renewed. */
export async function ensureLeaf(options: LeafOptions): Promise<KeyPair> {
  const stored = await readLeaf(options);
  if (stored && isGood(stored, options)) return stored;
  const pair = await options.ca.issue(options.subject);
  const path = join(options.dir, options.file);
  await writeFileDurably({ path: `${path}.key`, bytes: pair.key, mode: 0o600 });
  await writeFileDurably({ path: `${path}.crt`, bytes: pair.certificate, mode: 0o644 });
  return pair;
}

/** What can't be read, after a crash or a full disk, is made anew like what is old. */
function isGood(stored: KeyPair, options: LeafOptions): boolean {
  try {
    return !isDue(stored.certificate, options.clock.now()) && fits(stored, options);
  } catch {
    return false;
  }
}

export interface KeepRenewedOptions {
  readonly leaf: LeafOptions;
  /** Called with each new pair: listeners take it up without a restart. */
  readonly onRenewed: (pair: KeyPair) => void | Promise<void>;
  readonly log: Log;
}

const checkIntervalMs = 60 * 60 * 1000;

/** Looks every hour whether the pair has to be renewed. Returns stop. */
export function keepRenewed({ leaf, onRenewed, log }: KeepRenewedOptions): () => Promise<void> {
  const check = async () => {
    const stored = await readLeaf(leaf);
    const pair = await ensureLeaf(leaf);
    if (pair.certificate === stored?.certificate) return;
    log.info({ component: 'auth', path: leaf.file }, 'certificate renewed');
    await onRenewed(pair);
  };
  return repeat(leaf.clock, checkIntervalMs, () =>
    check().catch((err: unknown) =>
      log.warn({ err, component: 'auth', path: leaf.file }, 'certificate not renewed'),
    ),
  );
}

async function readLeaf({ dir, file }: LeafOptions): Promise<KeyPair | undefined> {
  const key = await readIfPresent(readFile(join(dir, `${file}.key`), 'utf8'));
  const certificate = await readIfPresent(readFile(join(dir, `${file}.crt`), 'utf8'));
  return key && certificate ? { key, certificate } : undefined;
}

/** Key and certificate belong together, this authority signed them, and they name every host. */
function fits(pair: KeyPair, { ca, subject }: LeafOptions): boolean {
  const certificate = new X509Certificate(pair.certificate);
  const authority = new X509Certificate(ca.certificate);
  const isOfKey = certificate.checkPrivateKey(createPrivateKey(pair.key));
  if (!isOfKey || !certificate.verify(authority.publicKey)) return false;
  if (subject.use !== 'server') return true;
  return [subject.name, ...subject.hosts].every(
    (host) => (isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host)) !== undefined,
  );
}
