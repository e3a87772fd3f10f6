import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { ImageError } from './image-error.ts';
import type { Descriptor } from './manifest.ts';
import type { ImageReference } from './reference.ts';
import { planSources } from './registries.ts';
import { answerError } from './registry-answer.ts';
import { authorizer } from './registry-auth.ts';
import type { RegistryClientOptions } from './registry-client.ts';
import type { RegistryRequest, Transport } from './registry-transport.ts';

/**
 * Writes to one repository by the OCI distribution-spec, without trying anything twice: who begins again sends only what is
 * still missing. All throw ImageError.
 */
export function registryPush(options: Omit<RegistryClientOptions, 'rng'>, signal: AbortSignal) {
  const { reference, transport } = options;
  const base = `${placeOf(reference, transport)}/`;
  const { origin } = new URL(base);
  const isSecure = origin.startsWith('https:');
  const authorize = authorizer({ ...options, isSecure, onLogin: () => undefined });
  const send = async (path: string, accepted: readonly number[], request: () => Sent) => {
    const url = new URL(path, base);
    if (url.protocol !== 'https:' && isSecure)
      throw new ImageError('RegistryError', `${origin} wants an upload sent without TLS`);
    const ask = (authorization: object) => {
      const { headers, ...more } = request();
      const sent = { ...more, headers: { ...headers, ...authorization }, signal };
      return transport.request(url.href, sent);
    };
    // Elsewhere nobody is told who we are: such a URL carries what it needs.
    const answer = url.origin === origin ? await authorize(signal, ask) : await ask({});
    if (!accepted.includes(answer.statusCode)) throw await answerError(answer, reference);
    await answer.body.dump();
    return answer;
  };
  return {
    /** Unless it is there. */
    async blob({ digest, size }: Descriptor, { path, onBytes }: BlobContent): Promise<void> {
      const found = await send(`blobs/${digest}`, [200, 404], () => ({ method: 'HEAD' }));
      if (found.statusCode === 200) return;
      const { headers } = await send('blobs/uploads/', [202], () => ({ method: 'POST' }));
      const upload = new URL(String(headers.location), `${base}blobs/uploads/`);
      upload.searchParams.set('digest', digest);
      await send(upload.href, [201], () => ({
        method: 'PUT',
        headers: { 'content-type': 'application/octet-stream', 'content-length': `${size}` },
        body: Readable.from(counted(path, onBytes)),
      }));
    },
    /** By tag or digest. */
    async manifest(as: string, mediaType: string, body: Buffer): Promise<void> {
      const headers = { 'content-type': mediaType };
      await send(`manifests/${as}`, [201], () => ({ method: 'PUT', headers, body }));
    },
  };
}

/** Of the registry itself: mirrors are for reading. */
function placeOf(reference: ImageReference, { network, registries }: Transport) {
  const sources = planSources(reference, { ...network, ...registries });
  const own = sources.find((source) => source.reference.registry === reference.registry);
  return (own ?? sources.at(-1))?.url;
}

type Sent = Omit<RegistryRequest, 'signal' | 'headers'> & Partial<Pick<RegistryRequest, 'headers'>>;

interface BlobContent {
  readonly path: string;
  /** How many have gone. */
  readonly onBytes: (bytes: number) => void;
}

async function* counted(path: string, onBytes: BlobContent['onBytes']): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of createReadStream(path)) {
    yield chunk;
    bytes += chunk.length;
    onBytes(bytes);
  }
}
