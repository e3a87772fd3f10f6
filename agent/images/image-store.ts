import { join } from 'node:path';
import type { Base } from '../../base/base.ts';
import type { Clock } from '../../base/clock.ts';
import type { Image, ImagePort, PullRequest } from '../ports.ts';
import { openContentStore } from './content-store.ts';
import { type ImageRecord, type ImageRecords, openImageIndex } from './image-index.ts';
import { type ImagePullParts, pullImage } from './image-pull.ts';
import { defaultLayerLimits, type LayerLimits } from './layer-plan.ts';
import { openLayerStore } from './layer-store.ts';
import { formatReference, type ImageReference, parseReference } from './reference.ts';
import { openTransport, type RegistryNetwork } from './registry-transport.ts';
import { sharedFlights } from './shared-flight.ts';
import { openUnpacker } from './unpacker.ts';

export interface ImageStoreOptions extends Base {
  /** DATA_DIR/images; everything below it is the store's. */
  readonly directory: string;
  readonly network: RegistryNetwork;
  /** Command line of `orc-unpack`, without its argument. */
  readonly writer: readonly [string, ...string[]];
  readonly limits?: LayerLimits;
}

export interface ImageStore extends ImagePort {
  close(): Promise<void>;
}

/** The node's images. Half-done downloads and layers of a crashed predecessor are removed here. */
export async function openImageStore(options: ImageStoreOptions): Promise<ImageStore> {
  const { directory, network } = options;
  const parts: ImagePullParts = {
    ...options,
    limits: options.limits ?? defaultLayerLimits,
    insecure: network.insecure,
    layers: await openLayerStore(directory),
    content: await openContentStore(directory),
    index: await openImageIndex(join(directory, 'images.json')),
    transport: openTransport(network),
    unpacker: openUnpacker(options.clock),
  };
  const isNamed = (diffId: string) =>
    parts.index.records().some(({ diffIds }) => diffIds.includes(diffId));
  await parts.layers.sweep(isNamed);
  const uses = imageUses(options.clock);
  const share = sharedFlights<ImageRecord>();

  return {
    async find(text) {
      const record = findRecord(parts.index.records(), parseReference(text));
      if (record === undefined || !uses.begin(record.id)) return undefined;
      return (await isComplete(parts, record)) ? image(parts, record) : undefined;
    },
    async pull(request, signal) {
      const record = await share(flightKey(request), signal, (shared) =>
        pullImage(parts, request, shared),
      );
      uses.begin(record.id);
      return image(parts, record);
    },
    async list() {
      return parts.index.records().map((record) => ({
        ...image(parts, record),
        lastUsedMs: uses.last(record.id),
      }));
    },
    async remove(id, unusedSinceMs) {
      if (!uses.end(id, unusedSinceMs)) return;
      const others = (records: ImageRecords) => records.filter((r) => r.id !== id);
      await parts.index.update(others).finally(() => uses.ended(id));
      await parts.layers.sweep(isNamed);
    },
    async close() {
      await parts.unpacker.close();
      await parts.transport.close();
    },
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
function flightKey({ reference, credentials }: PullRequest): string {
  return JSON.stringify([formatReference(parseReference(reference)), credentials]);
}

function findRecord(records: ImageRecords, reference: ImageReference): ImageRecord | undefined {
  const canonical = formatReference(reference);
  return records.find((record) => record.references.some((name) => name.canonical === canonical));
}

async function isComplete({ layers }: ImagePullParts, record: ImageRecord): Promise<boolean> {
  const present = await Promise.all(record.diffIds.map((id) => layers.has(id)));
  return present.every((has) => has);
}

function image({ layers }: ImagePullParts, record: ImageRecord): Image {
  const { id, digest, references, sizeBytes, diffIds, config } = record;
  return {
    id,
    digest,
    references: references.map((name) => name.written),
    sizeBytes,
    layers: withoutRepeats(diffIds).map((diffId) => layers.path(diffId)),
    config,
  };
}

/** overlayfs refuses the same directory twice. The upper one says all that the lower one does: only it stays. */
function withoutRepeats(diffIds: readonly string[]): readonly string[] {
  return diffIds.filter((id, index) => diffIds.lastIndexOf(id) === index);
}
