import { findNamed, type ImageCall, type ImageDesk, loginOf } from './image-desk.ts';
import { ImageError } from './image-error.ts';
import { type ImageReference, parseReference } from './reference.ts';
import { type TrustRule, trustedKey } from './trust.ts';

/** Asks the node's policy, or one key, about what the name stands for here, or else at its registry. */
export async function verifyImage(
  { asked, say, signal }: ImageCall,
  { store: { shelf } }: ImageDesk,
): Promise<void> {
  const { words: [written = ''] = [], key } = asked;
  const reference = parseReference(written);
  const policy = key === undefined ? undefined : [signedBy(reference, key)];
  const credentials = loginOf(asked, written);
  const source = shelf.sourceOf({ reference: written, credentials, policy });
  const wanted = reference.digest ?? reference.tag ?? 'latest';
  const digest =
    findNamed(shelf.parts.index.records(), written)?.name?.digest ??
    (await source.fetchManifest(wanted, signal)).digest;
  const signer = await source.approve?.(digest, signal);
  const how = signer === undefined ? 'accepted, and needs no signature' : `signed by ${signer}`;
  say({ note: `${written}, ${digest}: ${how}` });
}

function signedBy({ registry, repository }: ImageReference, pem: string): TrustRule {
  try {
    const verdict = [trustedKey('the key', Buffer.from(pem))];
    return { repository: `${registry}/${repository}`, writtenAt: '--key', verdict };
  } catch (cause) {
    const why = '--key must be a public key, as PEM';
    throw new ImageError('SignatureValidationFailed', why, { cause });
  }
}
