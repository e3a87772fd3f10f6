import { join } from 'node:path';
import type { Base } from '../../base/base.ts';
import type { Clock } from '../../base/clock.ts';
import type { Image, ImagePort, PullRequest } from '../ports.ts';
import { openBlobStore } from './blob-store.ts';
import {
  type ImageName,
  type ImageRecord,
  type ImageRecords,
  openImageIndex,
} from './image-index.ts';
import { type ImagePull, type ImagePullParts, pullImage } from './image-pull.ts';
import { type ImageSource, withPeers } from './image-source.ts';
import { defaultLayerLimits, type LayerLimits } from './layer-plan.ts';
import { openLayerStore } from './layer-store.ts';
import type { PeerIdentity, PeerNetwork } from './peer-client.ts';
import { servePeers } from './peer-server.ts';
import { openPeers, type Peers } from './peers.ts';
import { openPins } from './pins.ts';
import { formatReference, parseReference } from './reference.ts';
import { registryClient } from './registry-client.ts';
import { openTransport, type RegistryNetwork, type Transport } from './registry-transport.ts';
import { sharedFlights } from './shared-flight.ts';
import { checkTrust, type TrustRule } from './trust.ts';
import { openUnpacker } from './unpacker.ts';

export interface ImageStoreOptions extends Base {
  /** DATA_DIR/images; everything below it is the store's. */
  readonly directory: string;
  readonly network: RegistryNetwork;
  /** Command line of `orc-unpack`, without its argument. */
  readonly writer: readonly [string, ...string[]];
  readonly limits?: LayerLimits;
  /** undefined: this node asks no other and serves none. */
  readonly peers?: PeerNetwork & { readonly address: string };
}

export interface ImageStore extends ImagePort {
  /** This node has another certificate. */
  renewIdentity(identity: PeerIdentity): Promise<void>;
  /** For those who change images by hand. */
  readonly shelf: ImageShelf;
  close(): Promise<void>;
}

type Wanted = Pick<PullRequest, 'reference' | 'credentials'> & {
  /** Instead of the node's. */
  readonly policy?: readonly TrustRule[] | undefined;
};

export interface ImageShelf {
  readonly parts: ImagePullParts;
  readonly transport: Transport;
  /** Where an image of this name comes from. */
  sourceOf(wanted: Wanted): ImageSource;
  take(pull: Omit<ImagePull, 'parts'>, signal: AbortSignal): Promise<ImageRecord>;
}

/** The node's images. Layers that a crashed predecessor left half-done are removed here. */
export async function openImageStore(options: ImageStoreOptions): Promise<ImageStore> {
  const parts = await openParts(options);
  const { pins, index, layers, blobs } = parts;
  const transport = openTransport(options.network);
  const { peers: network } = options;
  const peers = network && openPeers(network, options);
  const registries = { ...options, transport, peers };
  const isNeeded = (digest: string) => pins.has(digest) || index.names(digest);
  const sweep = async () => {
    await layers.sweep(isNeeded);
    await blobs.sweep(isNeeded);
  };
  await sweep();
  const server = network && peers && (await servePeers({ ...parts, ...network, peers }));
  const uses = imageUses(options.clock);
  const flights = sharedFlights<ImageRecord>();
  const shelf: ImageShelf = {
    ...{ parts, transport },
    sourceOf: (request) => sourceOf(request, registries),
    async take(pull, signal) {
      const record = await pullImage({ ...pull, parts }, signal);
      uses.begin(record.id);
      return record;
    },
  };

  return {
    shelf,
    async find(text) {
      const canonical = formatReference(parseReference(text));
      const isMeant = (name: ImageName) => name.canonical === canonical;
      const record = index.records().find(({ references }) => references.some(isMeant));
      if (record === undefined || !uses.begin(record.id)) return undefined;
      return (await layers.haveAll(record.diffIds)) ? image(parts, record) : undefined;
    },
    async pull(request, signal) {
      const start = (shared: AbortSignal) => ({
        outcome: shelf.take(pullOf(request, shelf), shared),
      });
      const record = await flights.board(flightKey(request), signal, start).outcome;
      uses.begin(record.id);
      return image(parts, record);
    },
    async list() {
      return index.records().map((record) => ({
        ...image(parts, record),
        lastUsedMs: uses.last(record.id),
        isPinned: record.isPinned ?? false,
      }));
    },
    dropLayerBlobs: () => dropLayerBlobs(parts),
    async remove(id, unusedSinceMs) {
      if (!uses.end(id, unusedSinceMs)) return;
      const others = (records: ImageRecords) => records.filter((r) => r.id !== id);
      await index.update(others).finally(() => uses.ended(id));
      await sweep();
    },
    async renewIdentity(identity) {
      server?.renew(identity);
      await peers?.renew(identity);
    },
    async close() {
      server?.close();
      await peers?.close();
      await parts.unpacker.close();
      await transport.close();
    },
  };
}

async function openParts(options: ImageStoreOptions): Promise<ImagePullParts> {
  const { directory, clock, limits = defaultLayerLimits } = options;
  return {
    ...{ ...options, limits, pins: openPins(), unpacker: openUnpacker(clock) },
    index: await openImageIndex(join(directory, 'images.json')),
    layers: await openLayerStore(directory),
    blobs: await openBlobStore(directory, clock),
  };
}

async function dropLayerBlobs({ index, layers, blobs, pins }: ImagePullParts): Promise<number> {
  const unpacked = new Set<string>();
  for (const { diffIds, blobs: made } of index.records())
    if (await layers.haveAll(diffIds))
      for (const { digest } of made?.layers ?? []) unpacked.add(digest);
  return blobs.sweep((digest) => !unpacked.has(digest) || pins.has(digest));
}

type Registries = Base & Readonly<{ transport: Transport; peers: Peers | undefined }>;

function sourceOf(
  { reference: written, credentials, policy }: Wanted,
  { peers, ...options }: Registries,
): ImageSource {
  const reference = parseReference(written);
  const client = registryClient({ ...options, reference, credentials });
  const { policy: usual } = options.transport.registries;
  const origin: ImageSource = {
    ...{ ...client, download: client.downloadBlob },
    origin: { ...client.registry, download: client.registry.downloadBlob },
    approve: (digest, signal) =>
      checkTrust({ ...client, policy: policy ?? usual, reference, digest }, signal),
  };
  return peers ? withPeers(origin, formatReference(reference), { ...options, peers }) : origin;
}

function pullOf(request: PullRequest, { sourceOf }: ImageShelf): Omit<ImagePull, 'parts'> {
  const { reference: written, onProgress } = request;
  const reference = parseReference(written);
  const canonical = formatReference(reference);
  return {
    ...{ onProgress, source: sourceOf(request) },
    wanted: reference.digest ?? reference.tag ?? 'latest',
    name: { written, canonical },
  };
}

/**
 * When an image was last asked for. Not on disk: after a start everything counts as used then. What is being removed
 * counts as gone from the decision on.
 */
function imageUses(clock: Clock) {
  const startedAtMs = clock.now();
  const lastMs = new Map<string, number>();
  const leaving = new Set<string>();
  const last = (id: string) => lastMs.get(id) ?? startedAtMs;
  return {
    last,
    /** False: it is on its way out. */
    begin(id: string): boolean {
      lastMs.set(id, clock.now());
      return !leaving.has(id);
    },
    /** False: it has been used since. */
    end(id: string, unusedSinceMs: number): boolean {
      const isUnused = last(id) <= unusedSinceMs;
      if (isUnused) leaving.add(id);
      return isUnused;
    },
    ended: (id: string) => void leaving.delete(id),
  };
}

/** Who may not see a repository must not get it through someone else's pull. */
const flightKey = ({ reference, credentials }: PullRequest): string =>
  JSON.stringify([formatReference(parseReference(reference)), credentials]);

function image({ layers }: ImagePullParts, record: ImageRecord): Image {
  const { id, digest, references, sizeBytes, diffIds, config } = record;
  const paths = withoutRepeats(diffIds).map(layers.path);
  const names = references.map(({ written }) => written);
  return { id, digest, references: names, sizeBytes, layers: paths, config };
}

/** overlayfs refuses the same directory twice. The upper one says all that the lower one does: only it stays. */
const withoutRepeats = (diffIds: readonly string[]): readonly string[] =>
  diffIds.filter((id, index) => diffIds.lastIndexOf(id) === index);
