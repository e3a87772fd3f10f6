import { ImageError } from '../../../agent/images/image-error.ts';
import { formatReference, parseReference } from '../../../agent/images/reference.ts';
import type { Image, ImagePort, PullProgress, PullRequest } from '../../../agent/ports.ts';
import { type Clock, systemClock } from '../../../base/clock.ts';

/** Images in memory, at registries in memory. */
export interface FakeImages extends ImagePort {
  /** What the reference's registry answers with from now on: an image, or the error that a pull throws. */
  publish(reference: string, answer: Partial<Image> | ImageError): void;
  /** Makes pulls of the reference wait until the returned function is called. */
  hold(reference: string): () => void;
  /** Every request, in order. */
  readonly pulls: readonly PullRequest[];
}

export function fakeImages(clock: Clock = systemClock()): FakeImages {
  const published = new Map<string, Partial<Image> | ImageError>();
  const held = new Map<string, Promise<void>>();
  const present = new Map<string, Image>();
  const pulls: PullRequest[] = [];
  const lastUsed = new Map<string, number>();
  let compressed = new Set<string>();
  const used = (image: Image | undefined) => {
    if (image) lastUsed.set(image.id, clock.now());
    return image;
  };
  const canonical = (reference: string) => formatReference(parseReference(reference));
  const named = (reference: string) =>
    [...present.values()].find((image) =>
      image.references.some((other) => canonical(other) === canonical(reference)),
    );

  return {
    pulls,
    publish: (reference, answer) => void published.set(canonical(reference), answer),
    hold(reference) {
      const { promise, resolve } = Promise.withResolvers<void>();
      held.set(canonical(reference), promise);
      return resolve;
    },
    find: async (reference) => used(named(reference)),
    async pull(request, signal) {
      signal.throwIfAborted();
      pulls.push(request);
      const name = canonical(request.reference);
      await aborted(held.get(name) ?? Promise.resolve(), signal);
      const answer = published.get(name) ?? unknown(name);
      if (answer instanceof ImageError) throw answer;
      const image = complete(request.reference, answer);
      request.onProgress(done(image));
      if (!present.has(image.id)) for (const layer of image.layers) compressed.add(layer);
      used(image);
      return add(present, image, canonical);
    },
    list: async () =>
      [...present.values()].map((image) => ({
        ...image,
        lastUsedMs: lastUsed.get(image.id) ?? 0,
        isPinned: false,
      })),
    async remove(id, unusedSinceMs) {
      if ((lastUsed.get(id) ?? 0) <= unusedSinceMs) present.delete(id);
    },
    async dropLayerBlobs() {
      const { size } = compressed;
      compressed = new Set();
      return size;
    },
  };
}

function done({ sizeBytes, layers }: Image): PullProgress {
  const [doneBytes, totalBytes] = [sizeBytes, sizeBytes];
  const transfer = (digest: string) => ({ digest, doneBytes, totalBytes, isDone: true });
  return { doneBytes, totalBytes, layers: layers.map(transfer) };
}

function unknown(name: string): ImageError {
  return new ImageError('ManifestUnknown', `fake registry answered 404 for ${name}`);
}

function complete(reference: string, image: Partial<Image>): Image {
  const noConfig = { entrypoint: [], cmd: [], env: [], workingDir: '', user: '', volumes: [] };
  const config = { ...noConfig, stopSignal: undefined };
  const id = image.id ?? `sha256:${Buffer.from(reference).toString('hex').padEnd(64, '0')}`;
  const layers = [`/fake/layers/${id}`];
  return { id, digest: id, sizeBytes: 1, layers, config, ...image, references: [reference] };
}

/** The name moves here from whichever image had it. */
function add(
  present: Map<string, Image>,
  image: Image,
  canonical: (reference: string) => string,
): Image {
  const [written = ''] = image.references;
  for (const other of present.values()) {
    const references = other.references.filter((r) => canonical(r) !== canonical(written));
    if (other.id !== image.id) present.set(other.id, { ...other, references });
  }
  const before = present.get(image.id)?.references ?? [];
  const added = { ...image, references: [...new Set([...before, written])] };
  present.set(image.id, added);
  return added;
}

function aborted(wait: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    wait.then(resolve, reject);
  });
}
