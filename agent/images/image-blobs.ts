import type { RegistryCredential } from '../ports.ts';
import { ImageError } from './image-error.ts';
import { allBlobs, type ImageRecord, type RecordedBlobs } from './image-index.ts';
import type { ImageSource } from './image-source.ts';
import type { ImageShelf } from './image-store.ts';
import { type Descriptor, isObject, parseObject } from './manifest.ts';

export interface WholeImage {
  readonly record: ImageRecord;
  readonly credentials?: readonly RegistryCredential[];
}

/** What the image is made of, all of it here until the signal: what had gone is fetched again. Throws ImageError. */
export async function wholeImage(shelf: ImageShelf, image: WholeImage, signal: AbortSignal) {
  signal.throwIfAborted();
  const made = blobsOf(image.record);
  const blobs = allBlobs(made);
  const pins = shelf.parts.pins.pin(blobs.map(({ digest }) => digest));
  signal.addEventListener('abort', () => pins[Symbol.dispose](), { once: true });
  for (const blob of blobs) await ensureBlob(shelf, { ...image, blob }, signal);
  return { ...made, manifests: await sentManifests(shelf, made) };
}

/** Throws ImageError for an image whose record an older agent wrote. */
export function blobsOf({ blobs, references: [name], id }: ImageRecord): RecordedBlobs {
  if (blobs) return blobs;
  const why = 'was pulled by an agent that kept no blobs: pull it again';
  throw new ImageError('ManifestUnknown', `${name?.written ?? id} ${why}`);
}

/** Fetches it unless it is here. */
export async function ensureBlob(
  shelf: ImageShelf,
  { blob, ...image }: WholeImage & { readonly blob: Descriptor },
  signal: AbortSignal,
): Promise<void> {
  const { blobs } = shelf.parts;
  if (await blobs.findWhole(blob.digest)) return;
  const { fetchManifest, download } = sourceOf(shelf, image);
  if (blobsOf(image.record).manifests.some(({ digest }) => digest === blob.digest))
    await blobs.put((await fetchManifest(blob.digest, signal)).bytes, signal);
  else await blobs.ensure({ descriptor: blob, download, onBytes: () => undefined }, signal);
}

/** Where the first of its names leads that knows what is wanted. */
export function sourceOf(shelf: ImageShelf, { record, credentials = [] }: WholeImage): ImageSource {
  const sources = record.references.map(({ written: reference }) =>
    shelf.sourceOf({ reference, credentials }),
  );
  const first = async <T>(what: string, ask: (source: ImageSource) => Promise<T>): Promise<T> => {
    let cause: unknown;
    for (const source of sources) {
      try {
        return await ask(source);
      } catch (error) {
        cause = error;
      }
    }
    throw new ImageError('ManifestUnknown', `${what} is not here, and can't be fetched`, { cause });
  };
  return {
    fetchManifest: (wanted, signal) => first(wanted, (one) => one.fetchManifest(wanted, signal)),
    download: (blob, ...to) => first(blob.digest, (one) => one.download(blob, ...to)),
  };
}

/** This host's manifest; then the index, if it names no other one. Others aren't here. */
async function sentManifests({ parts: { blobs } }: ImageShelf, { manifests }: RecordedBlobs) {
  const [top, own] = manifests;
  if (top === undefined || own === undefined) return manifests;
  const { manifests: named } = parseObject((await blobs.read(top.digest)) ?? Buffer.of(), 'index');
  const isOwn = (one: unknown) => isObject(one) && one.digest === own.digest;
  return Array.isArray(named) && named.every(isOwn) ? [own, top] : [own];
}
