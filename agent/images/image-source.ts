import { type Clock, sleep } from '../../base/clock.ts';
import type { BlobSink } from './blob-store.ts';
import { isDigest } from './digest.ts';
import { isUnreachable } from './image-error.ts';
import type { Descriptor } from './manifest.ts';
import type { Peers } from './peers.ts';

export type FetchedManifest = Readonly<{ bytes: Buffer; digest: string; mediaType: string }>;

/** Where an image comes from: its registry, other nodes, an archive. */
export interface ImageSource {
  /** By tag or digest; verified against the digest. Throws ImageError. */
  fetchManifest(wanted: string, signal: AbortSignal): Promise<FetchedManifest>;
  /** The sink verifies. Throws ImageError. */
  download(blob: Descriptor, sink: BlobSink, signal: AbortSignal): Promise<void>;
  /** By the policy of this node; the key that vouches for it, if one must. Throws ImageError. */
  readonly approve?: (digest: string, signal: AbortSignal) => Promise<string | undefined>;
  /** No credentials were needed for what came. */
  readonly isOpen?: () => boolean;
  /** Whom to ask again when what came was wrong; undefined: the same one. */
  readonly origin?: ImageSource;
}

/** A registry that says nothing for so long isn't waited for any longer if another node knows the image. */
const patienceMs = 2000;

/**
 * What has a digest from other nodes before the registry. What a name means says the registry; other nodes only if it can't be
 * reached.
 * @param name of the image, complete.
 */
export const withPeers = (
  origin: ImageSource,
  name: string,
  { peers, clock }: { readonly peers: Peers; readonly clock: Clock },
): ImageSource => ({
  ...origin,
  origin: origin.origin ?? origin,
  download: (blob, sink, signal) => peers.download(blob, { origin, sink }, signal),
  async fetchManifest(wanted, signal) {
    if (isDigest(wanted))
      return (await peers.findManifest(wanted, signal)) ?? origin.fetchManifest(wanted, signal);
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const find = () => peers.findManifest(name, either);
    const registry = origin.fetchManifest(wanted, either).catch(async (error) => {
      const found = isUnreachable(error) ? await find() : undefined;
      if (found === undefined) throw error;
      return found;
    });
    const others = sleep(clock, patienceMs, either).then(find, () => undefined);
    try {
      return await Promise.race([registry, others.then((found) => found ?? registry)]);
    } finally {
      over.abort();
      registry.catch(() => undefined);
    }
  },
});
