import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import type { Transfer } from '../../api/node-images.ts';
import type { Base } from '../../base/base.ts';
import { together } from '../../base/deadline.ts';
import type { PullRequest } from '../ports.ts';
import type { BlobStore } from './blob-store.ts';
import { parseImageConfig } from './image-config.ts';
import { ImageError } from './image-error.ts';
import { type ImageIndex, type ImageName, type ImageRecord, withRecord } from './image-index.ts';
import type { FetchedManifest, ImageSource } from './image-source.ts';
import type { LayerLimits } from './layer-plan.ts';
import type { LayerStore } from './layer-store.ts';
import * as m from './manifest.ts';
import type { Pins } from './pins.ts';
import type { UnpackRequest } from './unpack-layer.ts';
import type { Unpacker } from './unpacker.ts';

export interface ImagePullParts extends Base {
  readonly blobs: BlobStore;
  readonly layers: LayerStore;
  readonly pins: Pins;
  readonly index: ImageIndex;
  readonly unpacker: Unpacker;
  readonly directory: string;
  readonly writer: UnpackRequest['writer'];
  readonly limits: LayerLimits;
}

/** One image on its way. */
export interface ImagePull {
  readonly parts: ImagePullParts;
  readonly source: ImageSource;
  /** Tag or digest. */
  readonly wanted: string;
  readonly name: Pick<ImageName, 'written' | 'canonical'>;
  readonly onProgress: PullRequest['onProgress'];
}

/** Resolve, approve, download, verify, unpack, record: each step is there already or is done now. Throws ImageError. */
export async function pullImage(pull: ImagePull, signal: AbortSignal): Promise<ImageRecord> {
  const { parts, name, source } = pull;
  const { digest, manifest, manifests } = await resolve(pull, signal);
  const signedBy = await source.approve?.(digest, signal);
  using pins = parts.pins.pin(digestsOf([...manifests, manifest.config, ...manifest.layers]));
  const { config, diffIds } = await ensureConfig(pull, manifest, signal);
  pins.add(diffIds);
  const record: ImageRecord = {
    id: manifest.config.digest,
    digest,
    references: [{ ...name, digest, signedBy, isOpen: source.isOpen?.() ?? false }],
    sizeBytes: manifest.layers.reduce((sum, layer) => sum + layer.size, 0),
    diffIds,
    config,
    blobs: { ...manifest, manifests: manifests.map(described) },
  };
  if (!(await isKnown(parts, record))) {
    for (const { bytes } of manifests) await parts.blobs.put(bytes, signal);
    const layers = manifest.layers.map((layer, i) => ({ ...layer, diffId: String(diffIds[i]) }));
    await ensureLayers(pull, layers, signal);
    await syncAll(parts);
  }
  await parts.index.update((records) => withRecord(records, record));
  parts.log.info({ image: name.written, digest, bytes: record.sizeBytes }, 'image pulled');
  return parts.index.records().find((r) => r.id === record.id) ?? record;
}

const digestsOf = (blobs: readonly { readonly digest: string }[]) =>
  blobs.map(({ digest }) => digest);

const described = ({ bytes, ...named }: FetchedManifest) => ({ ...named, size: bytes.length });

/** Follows an index to this host's manifest. The digest is that of what the reference names: index or manifest. */
async function resolve({ source, wanted }: ImagePull, signal: AbortSignal) {
  const top = await source.fetchManifest(wanted, signal);
  const document = m.parseManifest(top.bytes, top.mediaType);
  if (document.kind === 'manifest')
    return { digest: top.digest, manifest: document, manifests: [top] };
  const chosen = m.choosePlatform(document, m.hostPlatform());
  const inner = await source.fetchManifest(chosen.digest, signal);
  const manifest = m.parseManifest(inner.bytes, inner.mediaType);
  if (manifest.kind === 'index')
    throw new ImageError('InvalidManifest', 'an image index names another index');
  return { digest: top.digest, manifest, manifests: [top, inner] };
}

async function ensureConfig(
  pull: ImagePull,
  { config, layers }: m.ImageManifest,
  signal: AbortSignal,
) {
  const { blobs } = pull.parts;
  await rightly(pull, config, ({ download }) =>
    blobs.ensure({ descriptor: config, download, onBytes: () => {} }, signal),
  );
  const bytes = await blobs.read(config.digest);
  if (bytes === undefined) throw new ImageError('StorageFailed', `${config.digest} has gone`);
  return parseImageConfig(bytes, layers.length);
}

type LayerSource = Pick<ImagePull, 'source' | 'parts'>;

/** A wrong blob may be a peer's fault, or what a crash left of it: it is asked for once more, where it comes from. */
async function rightly(
  { source, parts }: LayerSource,
  blob: m.Descriptor,
  obtain: (source: ImageSource) => Promise<void>,
): Promise<void> {
  try {
    await obtain(source);
  } catch (err) {
    if (!(err instanceof ImageError && wrongReasons.has(err.reason))) throw err;
    await parts.blobs.discard(blob.digest);
    parts.log.warn({ err, digest: blob.digest }, 'a blob is wrong: asking for it once more');
    await obtain(source.origin ?? source);
  }
}

const wrongReasons: ReadonlySet<string> = new Set(['DigestMismatch', 'InvalidLayer']);

/** On disk, and named by a record. Other layers may be in memory only, whoever unpacked them. */
async function isKnown({ index, layers }: ImagePullParts, record: ImageRecord): Promise<boolean> {
  const before = index.records().find(({ id }) => id === record.id);
  const isSame = JSON.stringify(before?.blobs) === JSON.stringify(record.blobs);
  return isSame && layers.haveAll(record.diffIds);
}

export async function syncAll({ writer: [program, ...args], directory }: ImagePullParts) {
  try {
    await promisify(execFile)(program, [...args, '--sync', directory]);
  } catch (cause) {
    throw new ImageError('StorageFailed', 'syncing layers to disk', { cause });
  }
}

const parallelLayers = Math.max(3, availableParallelism());

export type PulledLayer = m.LayerDescriptor & { readonly diffId: string };

/** A few at a time, the largest first, so that none is left over when the others are done. */
async function ensureLayers(pull: ImagePull, layers: readonly PulledLayer[], signal: AbortSignal) {
  const report = progress(pull, layers);
  const queue = [...layers.entries()].sort(([, a], [, b]) => b.size - a.size);
  const work = async (shared: AbortSignal) => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [index, layer] = next;
      const onBytes = (bytes: number) => report(index, { doneBytes: bytes });
      await ensureLayer(pull, { layer, onBytes }, shared);
      report(index, { doneBytes: layer.size, isDone: true });
    }
  };
  await together(signal, Array(Math.min(parallelLayers, layers.length)).fill(work));
}

type LayerPull = Readonly<{ layer: PulledLayer; onBytes?: (bytes: number) => void }>;

/** Unpacked while it comes. Its directory is there once both its digests are right. */
export function ensureLayer(pull: LayerSource, wanted: LayerPull, signal: AbortSignal) {
  const { parts } = pull;
  return rightly(pull, wanted.layer, (source) =>
    parts.layers.ensure(
      wanted.layer.diffId,
      (directory, shared) => unpackLayer({ parts, source }, { ...wanted, directory }, shared),
      signal,
    ),
  );
}

/** Into an empty directory. */
export function unpackLayer(
  { parts, source: { download } }: LayerSource,
  { layer, directory, onBytes = () => undefined }: LayerPull & { readonly directory: string },
  signal: AbortSignal,
): Promise<void> {
  const { blobs, unpacker, writer, limits } = parts;
  const { diffId, compression, size: compressedBytes } = layer;
  const settings = { diffId, compression, compressedBytes, writer, limits, directory };
  return blobs.ensure({ descriptor: layer, download, onBytes }, signal, (blob, unlessItFails) =>
    unpacker.unpack({ ...settings, blob }, unlessItFails),
  );
}

/** Tells of blobs on their way, each by its number. */
export function progress(
  { onProgress }: Pick<ImagePull, 'onProgress'>,
  layers: readonly m.Descriptor[],
) {
  const transfers = layers.map(
    ({ digest, size }): Transfer => ({ digest, doneBytes: 0, totalBytes: size, isDone: false }),
  );
  const totalBytes = layers.reduce((sum, layer) => sum + layer.size, 0);
  return (index: number, change: Partial<Transfer>) => {
    transfers[index] = { ...(transfers[index] as Transfer), ...change };
    const doneBytes = transfers.reduce((sum, layer) => sum + layer.doneBytes, 0);
    onProgress({ doneBytes, totalBytes, layers: transfers });
  };
}
