import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { digestHex, digestOf } from './digest.ts';
import { ImageError } from './image-error.ts';
import { descriptor, isObject, list, parseObject } from './manifest.ts';
import { type ImageReference, parseReference } from './reference.ts';
import type { RegistryReader } from './registry-client.ts';

/** What becomes of the images of some repositories. */
export interface TrustRule {
  /** HOST/REPOSITORY; HOST/PATH/*, for all below it; or "*". */
  readonly repository: string;
  /** FILE:LINE */
  readonly writtenAt: string;
  /** Keys: of one of them there must be a signature. */
  readonly verdict: 'accept' | 'reject' | readonly TrustedKey[];
}

export interface TrustedKey {
  /** Where it was read. */
  readonly path: string;
  readonly key: KeyObject;
  /** sha256:HEX of the key as DER. */
  readonly fingerprint: string;
}

/** Throws what node:crypto throws, or TypeError. */
export function trustedKey(path: string, pem: Buffer): TrustedKey {
  const key = createPublicKey(pem);
  if (!['ec', 'rsa', 'ed25519'].includes(key.asymmetricKeyType ?? ''))
    throw new TypeError(`it is ${key.asymmetricKeyType}, neither ec nor rsa nor ed25519`);
  return { path, key, fingerprint: digestOf(key.export({ type: 'spki', format: 'der' })) };
}

interface TrustCheck extends Pick<RegistryReader, 'fetchManifest' | 'fetchBlob'> {
  readonly policy: readonly TrustRule[];
  readonly reference: ImageReference;
  /** Of what the reference names, index or manifest: that is what gets signed. */
  readonly digest: string;
}

/**
 * The fingerprint of the key that vouches for the image; undefined where none has to. Throws ImageError
 * SignatureValidationFailed, which names the rule.
 */
export async function checkTrust(check: TrustCheck, signal: AbortSignal) {
  const { policy, reference, digest } = check;
  const repository = repositoryOf(reference);
  const rule = planTrust(policy, repository);
  if (rule === undefined || rule.verdict === 'accept') return undefined;
  const refusal = (why: string, cause?: unknown) => {
    const what = `${repository}@${digest} is refused by ${rule.writtenAt} ("${rule.repository}")`;
    return new ImageError('SignatureValidationFailed', `${what}: ${why}`, { cause });
  };
  if (rule.verdict === 'reject') throw refusal('none of these images may be pulled');
  const signatures = await fetchSignatures(check, signal).catch((cause: unknown) => {
    throw refusal("its signatures can't be read", cause);
  });
  const found = verifySignatures(signatures, { keys: rule.verdict, repository, digest });
  if (typeof found === 'string') throw refusal(found);
  return found.fingerprint;
}

/** The rule for HOST/REPOSITORY: the exact one, or that with the longest path. Pure. */
export function planTrust(policy: readonly TrustRule[], repository: string): TrustRule | undefined {
  const stem = ({ repository: written }: TrustRule) => written.replace(/\*$/, '');
  const isMeant = (rule: TrustRule) =>
    rule.repository === repository ||
    (rule.repository.endsWith('*') && repository.startsWith(stem(rule)));
  return policy.filter(isMeant).toSorted((a, b) => stem(b).length - stem(a).length)[0];
}

type Signature = Readonly<{ payload: Buffer; signature: Buffer }>;

const payloadType = 'application/vnd.dev.cosign.simplesigning.v1+json';
const maxSignatures = 100;
const maxPayloadBytes = 64 * 1024;

/** Where cosign puts them: under a tag made of the digest, as layers (cosign, specs/SIGNATURE_SPEC.md). */
async function fetchSignatures(
  { digest, fetchManifest, fetchBlob }: TrustCheck,
  signal: AbortSignal,
): Promise<readonly Signature[]> {
  const manifest = await fetchManifest(`sha256-${digestHex(digest)}.sig`, signal).catch(ifUnknown);
  if (manifest === undefined) return [];
  const { layers } = parseObject(manifest.bytes, 'list of signatures');
  const signatures: Signature[] = [];
  for (const [i, layer] of list(layers, 'signatures', maxSignatures).entries()) {
    const payload = descriptor(layer, `layers[${i}]`, maxPayloadBytes);
    const { annotations } = layer as { readonly annotations?: unknown };
    const text = isObject(annotations) && annotations['dev.cosignproject.cosign/signature'];
    if (payload.mediaType !== payloadType || typeof text !== 'string') continue;
    const signature = Buffer.from(text, 'base64');
    signatures.push({ payload: await fetchBlob(payload, signal), signature });
  }
  return signatures;
}

function ifUnknown(error: unknown): undefined {
  if (!(error instanceof ImageError) || error.reason !== 'ManifestUnknown') throw error;
}

type Wanted = Readonly<{ keys: readonly TrustedKey[]; repository: string; digest: string }>;

/** The key of a signature that says what is wanted; otherwise what there is instead. Pure. */
export function verifySignatures(signatures: readonly Signature[], wanted: Wanted) {
  if (signatures.length === 0) return 'it has no signatures';
  const found = signatures.map((one) => judge(one, wanted));
  const trusted = found.find((key) => typeof key !== 'string');
  return trusted ?? [...new Set(found)].map(String).join('; ');
}

function judge({ payload, signature }: Signature, wanted: Wanted): TrustedKey | string {
  const key = wanted.keys.find(({ key }) => {
    const hash = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
    return verify(hash, payload, key, signature);
  });
  if (key === undefined)
    return `it is signed by none of ${wanted.keys.map(({ path }) => path).join(', ')}`;
  const other = otherClaim(payload, wanted);
  return other === undefined ? key : `${key.path} signed ${other}`;
}

/** Something else than what is wanted that the payload vouches for. Only of payloads that are known to be the signer's. */
function otherClaim(payload: Buffer, { repository, digest }: Wanted): string | undefined {
  const { critical } = parseObject(payload, 'signed payload');
  const text = (...path: readonly string[]) =>
    String(path.reduce((of, name) => (isObject(of) ? of[name] : undefined), critical));
  const type = text('type');
  if (type !== 'cosign container image signature') return `something of type "${type}"`;
  const signed = text('image', 'docker-manifest-digest');
  if (signed !== digest) return `another digest, ${signed}`;
  const name = text('identity', 'docker-reference');
  return isNameOf(repository, name) ? undefined : `it as another repository, ${name}`;
}

/** With or without a tag: cosign writes none, skopeo that which it copied to. */
function isNameOf(repository: string, name: string): boolean {
  try {
    return repositoryOf(parseReference(name)) === repository;
  } catch (error) {
    if (error instanceof ImageError) return false;
    throw error;
  }
}

const repositoryOf = ({ registry, repository }: ImageReference) => `${registry}/${repository}`;
