import { statfs } from 'node:fs/promises';
import { type ImageDetails, type NodeImage, shortDigest } from '../../api/node-images.ts';
import { checkImages } from './check-images.ts';
import { findImage, type ImageCall, type ImageDesk, loginOf, tellTransfers } from './image-desk.ts';
import { ImageError } from './image-error.ts';
import { allBlobs, type ImageIndex, type ImageRecord } from './image-index.ts';
import type { ImagePullParts } from './image-pull.ts';
import { importImages } from './import-images.ts';
import { parseObject } from './manifest.ts';
import { pushImage } from './push-image.ts';
import { verifyImage } from './verify-image.ts';

/** Gives its result; of an export the archive. */
type Act = (call: ImageCall, desk: ImageDesk) => Promise<unknown>;

export const acts: Readonly<Record<string, Act>> = {
  '/pull': pull,
  '/ls': ls,
  '/inspect': inspect,
  '/rm': remove,
  '/prune': prune,
  '/import': importImages,
  '/export': async (call, desk) => (await import('./export-images.ts')).exportImages(call, desk),
  '/push': pushImage,
  '/check': checkImages,
  '/verify': verifyImage,
};

async function pull(call: ImageCall, { store, clock }: ImageDesk): Promise<void> {
  const { asked, say, signal } = call;
  const { words: [reference = ''] = [], pin = false } = asked;
  const onProgress = tellTransfers(call, clock);
  const credentials = loginOf(asked, reference);
  const { digest } = await store.pull({ reference, credentials, onProgress }, signal);
  const { index } = store.shelf.parts;
  if (pin)
    await changeRecord(index, { ...findImage(index.records(), reference).record, isPinned: true });
  say({ note: `${reference}: ${digest}` });
}

async function ls(_: ImageCall, { store }: ImageDesk): Promise<readonly NodeImage[]> {
  const { parts } = store.shelf;
  return Promise.all(parts.index.records().map((record) => nodeImage(parts, record)));
}

async function nodeImage({ blobs }: ImagePullParts, record: ImageRecord): Promise<NodeImage> {
  const { id, digest, references, sizeBytes, isPinned = false, blobs: made } = record;
  const names = references.map(({ canonical }) => canonical);
  let blobBytes = 0;
  for (const [blob, size] of new Map(allBlobs(made).map((one) => [one.digest, one.size])))
    if (await blobs.findWhole(blob)) blobBytes += size;
  return { id, digest, names, sizeBytes, blobBytes, isPinned };
}

async function inspect({ asked }: ImageCall, { store }: ImageDesk): Promise<ImageDetails> {
  const { parts } = store.shelf;
  const record = findImage(parts.index.records(), asked.words?.[0] ?? '').record;
  const document = async (digest = '') => {
    const bytes = digest && (await parts.blobs.read(digest));
    return bytes ? parseObject(bytes, digest) : undefined;
  };
  return {
    record: await nodeImage(parts, record),
    manifest: await document(record.blobs?.manifests.at(-1)?.digest),
    config: await document(record.blobs?.config.digest),
  };
}

async function remove({ asked, say }: ImageCall, { store, needed }: ImageDesk): Promise<void> {
  const { index } = store.shelf.parts;
  for (const word of asked.words ?? []) {
    const { record, name } = findImage(index.records(), word);
    const going = name ? [name] : record.references;
    const left = record.references.filter((one) => !going.includes(one));
    const isLast = left.length === 0;
    const needs = await needed();
    if ((isLast && needs.has(record.id)) || going.some(({ written }) => needs.has(written)))
      throw new ImageError('ImageInUse', `a pod or a container of this node needs ${word}`);
    if (isLast && record.isPinned && !asked.force)
      throw new ImageError('ImageInUse', `${word} is pinned; --force removes it`);
    if (isLast) await store.remove(record.id, Number.POSITIVE_INFINITY);
    else await changeRecord(index, { ...record, references: left });
    for (const { written } of going) say({ note: `${written} removed` });
    if (isLast) say({ note: `image ${shortDigest(record.id)} removed` });
  }
}

const changeRecord = (index: ImageIndex, changed: ImageRecord) =>
  index.update((records) => records.map((one) => (one.id === changed.id ? changed : one)));

async function prune({ asked, say }: ImageCall, { store, needed }: ImageDesk): Promise<void> {
  const free = async () => {
    const { bavail, bsize } = await statfs(store.shelf.parts.directory);
    return bavail * bsize;
  };
  const [needs, before] = [await needed(), await free()];
  for (const { id, references, isPinned, lastUsedMs } of await store.list()) {
    const isNeeded = [id, ...references].some((name) => needs.has(name));
    if (isPinned || isNeeded || (references.length > 0 && !asked.all)) continue;
    await store.remove(id, lastUsedMs);
    say({ note: `${references.join(', ') || shortDigest(id)} removed` });
  }
  const freed = Math.max(0, (await free()) - before);
  say({ note: `${(freed / 1_000_000).toFixed(1)} MB freed` });
}
