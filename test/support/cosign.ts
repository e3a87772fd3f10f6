import { type KeyObject, sign } from 'node:crypto';
import { digestOf, type TestRegistry } from './registry.ts';

/** What cosign signs, as specs/SIGNATURE_SPEC.md of its sources has it. */
export const payloadOf = (
  name: string,
  digest: string,
  type = 'cosign container image signature',
) =>
  Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': name },
        image: { 'docker-manifest-digest': digest },
        type,
      },
      optional: null,
    }),
  );

interface Signature {
  readonly payload: Buffer;
  readonly signature: Buffer;
}

export function signed(payload: Buffer, key: KeyObject): Signature {
  const hash = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  return { payload, signature: sign(hash, payload, key) };
}

interface Signed {
  readonly repository: string;
  readonly digest: string;
}

const mediaType = 'application/vnd.oci.image.manifest.v1+json';
const tagOf = ({ digest }: Signed) => `${digest.replace(':', '-')}.sig`;

/** Puts them where cosign does. */
export function putSignatures(
  registry: TestRegistry,
  image: Signed,
  signatures: readonly Signature[],
): void {
  for (const { payload } of signatures) registry.blobs.set(digestOf(payload), payload);
  const bytes = manifestOf(signatures, Buffer.from('{}'));
  registry.manifests.set(`${image.repository}:${tagOf(image)}`, { mediaType, bytes });
}

/** The same at a real registry, "http://HOST:PORT". */
export async function pushSignatures(
  registry: string,
  image: Signed,
  signatures: readonly Signature[],
): Promise<void> {
  const url = `${registry}/v2/${image.repository}`;
  const put = async (to: URL | string, body: Buffer, type: string) => {
    const headers = { 'content-type': type };
    const { status } = await fetch(to, { method: 'PUT', body: new Uint8Array(body), headers });
    if (status !== 201) throw new Error(`${to.toString()}: ${status}`);
  };
  const config = Buffer.from('{}');
  for (const blob of [config, ...signatures.map(({ payload }) => payload)]) {
    const upload = await fetch(`${url}/blobs/uploads/`, { method: 'POST' });
    const to = new URL(upload.headers.get('location') ?? '', url);
    to.searchParams.set('digest', digestOf(blob));
    await put(to, blob, 'application/octet-stream');
  }
  await put(`${url}/manifests/${tagOf(image)}`, manifestOf(signatures, config), mediaType);
}

function manifestOf(signatures: readonly Signature[], config: Buffer): Buffer {
  const descriptor = (mediaType: string, bytes: Buffer) => ({
    mediaType,
    ...{ digest: digestOf(bytes), size: bytes.length },
  });
  const manifest = {
    ...{ schemaVersion: 2, mediaType },
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: signatures.map(({ payload, signature }) => ({
      ...descriptor('application/vnd.dev.cosign.simplesigning.v1+json', payload),
      annotations: { 'dev.cosignproject.cosign/signature': signature.toString('base64') },
    })),
  };
  return Buffer.from(JSON.stringify(manifest));
}
