import { statfs } from 'node:fs/promises';
import type { ImageDetails, NodeImage } from '../../api/node-images.ts';
import { exportImages } from './export-images.ts';
import { findImage, planRemoval, short } from './image-choice.ts';
import { type ImageCall, type ImageDesk, loginOf, tellTransfers } from './image-desk.ts';
import type { ImageRecord } from './image-index.ts';
import type { ImagePullParts } from './image-pull.ts';
import { importImages } from './import-images.ts';
import { parseObject } from './manifest.ts';

/** Gives its result; of an export the archive. */
type Act = (call: ImageCall, desk: ImageDesk) => Promise<unknown>;

export const acts: Readonly<Record<string, Act>> = {
  '/pull': pull,
  '/ls': ls,
  '/inspect': inspect,
  '/rm': remove,
  '/prune': prune,
  '/import': importImages,
  '/export': exportImages,
};

async function pull(call: ImageCall, { store, clock }: ImageDesk): Promise<void> {
  const { asked, say, signal } = call;
  const { words: [reference = ''] = [], pin = false } = asked;
  const onProgress = tellTransfers(call, clock);
  const credentials = loginOf(asked, reference);
  const { id, digest } = await store.pull({ reference, credentials, onProgress }, signal);
  if (pin)
    await store.shelf.parts.index.update((records) =>
      records.map((record) => (record.id === id ? { ...record, isPinned: true } : record)),
    );
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
  const all = made === undefined ? [] : [...made.manifests, made.config, ...made.layers];
  for (const [blob, size] of new Map(all.map((one) => [one.digest, one.size])))
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
  const plan = planRemoval(index.records(), { ...asked, needed: await needed() });
  for (const { id, names, isLast } of plan) {
    const going = new Set(names.map(({ canonical }) => canonical));
    const rest = ({ references }: ImageRecord) =>
      references.filter(({ canonical }) => !going.has(canonical));
    if (isLast) await store.remove(id, Number.POSITIVE_INFINITY);
    else await index.update((records) => records.map((r) => ({ ...r, references: rest(r) })));
    for (const { written } of names) say({ note: `${written} removed` });
    if (isLast) say({ note: `image ${short(id)} removed` });
  }
}

async function prune({ asked: { all = false }, say }: ImageCall, { store, needed }: ImageDesk) {
  const { directory } = store.shelf.parts;
  const needs = await needed();
  const freeBefore = await freeBytes(directory);
  for (const { id, references, isPinned, lastUsedMs } of await store.list()) {
    const isNeeded = [id, ...references].some((name) => needs.has(name));
    if (isPinned || isNeeded || (references.length > 0 && !all)) continue;
    await store.remove(id, lastUsedMs);
    say({ note: `${references.join(', ') || short(id)} removed` });
  }
  return { freedBytes: Math.max(0, (await freeBytes(directory)) - freeBefore) };
}

async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}
