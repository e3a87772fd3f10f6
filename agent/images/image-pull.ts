import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Base } from '../../base/base.ts';
import type { PullRequest } from '../ports.ts';
import type { BlobSink, ContentStore } from './content-store.ts';
import { parseImageConfig } from './image-config.ts';
import { ImageError } from './image-error.ts';
import { type ImageIndex, type ImageRecord, withRecord } from './image-index.ts';
import type { LayerLimits } from './layer-plan.ts';
import type { LayerStore } from './layer-store.ts';
import {
  choosePlatform,
  hostPlatform,
  type ImageManifest,
  type LayerDescriptor,
  parseManifest,
} from './manifest.ts';
import { formatReference, type ImageReference, parseReference } from './reference.ts';
import { type RegistryClient, registryClient } from './registry-client.ts';
import type { Transport } from './registry-transport.ts';
import type { UnpackRequest } from './unpack-layer.ts';
import type { Unpacker } from './unpacker.ts';

export interface ImagePullParts extends Base {
  readonly content: ContentStore;
  readonly layers: LayerStore;
  readonly index: ImageIndex;
  readonly unpacker: Unpacker;
  readonly directory: string;
  readonly transport: Transport;
  /** Registries that speak plain HTTP. */
  readonly insecure: readonly string[];
  readonly writer: UnpackRequest['writer'];
  readonly limits: LayerLimits;
}

const parallelLayers = 3;

/** Resolve, download, verify, unpack, record: each step is there already or is done now. Throws ImageError. */
export async function pullImage(
  parts: ImagePullParts,
  request: PullRequest,
  signal: AbortSignal,
): Promise<ImageRecord> {
  const reference = parseReference(request.reference);
  const client = registryClient({ ...parts, reference, credentials: request.credentials });
  const { digest, manifest } = await resolve(client, reference, signal);
  const bytes = await client.fetchBlob(manifest.config, signal);
  const { config, diffIds } = parseImageConfig(bytes, manifest.layers.length);
  const layers = manifest.layers.map((layer, i) => ({ ...layer, diffId: String(diffIds[i]) }));
  const record: ImageRecord = {
    id: manifest.config.digest,
    digest,
    references: [{ written: request.reference, canonical: formatReference(reference) }],
    sizeBytes: layers.reduce((sum, layer) => sum + layer.size, 0),
    diffIds,
    config,
  };
  const unpin = parts.layers.pin(diffIds);
  try {
    await ensureLayers({ parts, client, request, signal }, layers);
    await syncUnlessKnown(parts, diffIds);
    await parts.index.update((records) => withRecord(records, record));
  } finally {
    unpin();
  }
  parts.log.info({ image: request.reference, digest, bytes: record.sizeBytes }, 'image pulled');
  return parts.index.records().find((r) => r.id === record.id) ?? record;
}

/** Layers that a record names are on disk; others may be in memory only, whoever unpacked them. */
async function syncUnlessKnown(parts: ImagePullParts, diffIds: readonly string[]): Promise<void> {
  const known = new Set(parts.index.records().flatMap((record) => record.diffIds));
  if (diffIds.every((id) => known.has(id))) return;
  const [program, ...args] = parts.writer;
  try {
    await promisify(execFile)(program, [...args, '--sync', parts.directory]);
  } catch (cause) {
    throw new ImageError('StorageFailed', 'syncing layers to disk', { cause });
  }
}

/** Follows an index to this host's manifest. The digest is that of what the reference names: index or manifest. */
async function resolve(
  client: RegistryClient,
  reference: ImageReference,
  signal: AbortSignal,
): Promise<{ digest: string; manifest: ImageManifest }> {
  const wanted = reference.digest ?? reference.tag ?? 'latest';
  const top = await client.fetchManifest(wanted, signal);
  const document = parseManifest(top.bytes, top.mediaType);
  if (document.kind === 'manifest') return { digest: top.digest, manifest: document };
  const chosen = choosePlatform(document, hostPlatform());
  const inner = await client.fetchManifest(chosen.digest, signal);
  const manifest = parseManifest(inner.bytes, inner.mediaType);
  if (manifest.kind === 'index')
    throw new ImageError('InvalidManifest', 'an image index names another index');
  return { digest: top.digest, manifest };
}

type PulledLayer = LayerDescriptor & { readonly diffId: string };

interface LayerPull {
  readonly parts: ImagePullParts;
  readonly client: RegistryClient;
  readonly request: PullRequest;
  readonly signal: AbortSignal;
}

/** A few at a time; the first failure stops the others. */
async function ensureLayers(pull: LayerPull, layers: readonly PulledLayer[]): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([pull.signal, failed.signal]);
  const report = progress(pull.request, layers);
  const queue = [...layers.entries()];
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [index, layer] = next;
      await ensureLayer({ ...pull, signal }, layer, (bytes) => report(index, bytes));
      report(index, layer.size);
    }
  };
  const workers = Array.from({ length: Math.min(parallelLayers, layers.length) }, work);
  try {
    await Promise.all(workers);
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(workers);
    throw error;
  }
}

/** The compressed layer goes once it is unpacked: kept twice, images would take half as much disk again. */
async function ensureLayer(
  { parts, client, signal }: LayerPull,
  layer: PulledLayer,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const { content, layers, unpacker, writer, limits } = parts;
  const { diffId, compression } = layer;
  const fill = (directory: string, shared: AbortSignal) => {
    const transfer = (sink: BlobSink) => client.downloadBlob(layer, sink, shared);
    return content.withBlob({ descriptor: layer, transfer, onBytes }, (blob) =>
      unpacker.unpack({ blob, compression, diffId, directory, writer, limits }, shared),
    );
  };
  await layers.ensure(diffId, fill, signal);
}

function progress(request: PullRequest, layers: readonly PulledLayer[]) {
  const done = layers.map(() => 0);
  const totalBytes = layers.reduce((sum, layer) => sum + layer.size, 0);
  return (index: number, bytes: number) => {
    done[index] = bytes;
    request.onProgress({ doneBytes: done.reduce((sum, part) => sum + part, 0), totalBytes });
  };
}
