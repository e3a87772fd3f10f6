import type { BlobSink } from './blob-store.ts';
import type { Descriptor } from './manifest.ts';

export interface FetchedManifest {
  readonly bytes: Buffer;
  readonly digest: string;
  readonly mediaType: string;
}

/** Where an image comes from: its registry, this node's peers, an archive. */
export interface ImageSource {
  /** By tag or digest; verified against the digest. Throws ImageError. */
  fetchManifest(wanted: string, signal: AbortSignal): Promise<FetchedManifest>;
  /** The sink verifies. Throws ImageError. */
  download(blob: Descriptor, sink: BlobSink, signal: AbortSignal): Promise<void>;
  /** Whom to ask again when what came was wrong; undefined: this is the last word. */
  readonly origin?: ImageSource;
}
