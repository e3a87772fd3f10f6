import { readFile } from 'node:fs/promises';
import { readIfPresent, writeFileDurably } from '../../base/durable-file.ts';
import type { ImageConfig } from '../ports.ts';
import type { Descriptor, LayerDescriptor } from './manifest.ts';

/** What the node remembers of an image. */
export interface ImageRecord {
  readonly id: string;
  readonly digest: string;
  /** Every reference that led here, as users wrote it. */
  readonly references: readonly ImageName[];
  readonly sizeBytes: number;
  readonly diffIds: readonly string[];
  readonly config: ImageConfig;
  /** Absent in records of an agent that kept none. */
  readonly blobs?: RecordedBlobs;
  readonly isPinned?: boolean;
}

/** What the image was made of. Layers may have gone: they are unpacked. */
export interface RecordedBlobs {
  /** An index, if the reference names one; then this host's manifest. */
  readonly manifests: readonly Descriptor[];
  readonly config: Descriptor;
  /** Lowest first. */
  readonly layers: readonly LayerDescriptor[];
}

export type ImageRecords = readonly ImageRecord[];

export interface ImageName {
  readonly written: string;
  /** formatReference of it. */
  readonly canonical: string;
  /** Of what it named when it was pulled: manifest or index. */
  readonly digest?: string;
  /** Fingerprint of the key that vouched for it, if this node's policy wanted one. */
  readonly signedBy?: string | undefined;
  /** No credentials were needed: other nodes may have it by this name. */
  readonly isOpen?: boolean;
}

export type ImageIndex = Awaited<ReturnType<typeof openImageIndex>>;

/** Every image of this node, in one file that is replaced in one step: no crash leaves a tag on two images. */
export async function openImageIndex(path: string) {
  let records = await load(path);
  let last: Promise<void> = Promise.resolve();
  return {
    records: () => records,
    /** Whether an image is made of it, a blob or an unpacked layer. */
    names: (digest: string) =>
      records.some(({ diffIds, blobs }) =>
        [...diffIds, ...allBlobs(blobs).map((blob) => blob.digest)].includes(digest),
      ),
    /** By its digest, or by the image's complete name; of images that were pulled without credentials. */
    openManifest(key: string): Descriptor | undefined {
      for (const { references, blobs } of records) {
        const [top] = blobs?.manifests ?? [];
        const open = references.filter(({ isOpen }) => isOpen);
        if (open.some((name) => name.canonical === key && name.digest === top?.digest)) return top;
        const found = blobs?.manifests.find(({ digest }) => digest === key);
        if (found && open.length > 0) return found;
      }
      return undefined;
    },
    /** Resolves when the change is on disk. */
    update(change: (records: ImageRecords) => ImageRecords): Promise<void> {
      const next = last.then(async () => {
        const changed = change(records);
        const bytes = JSON.stringify({ version: 1, images: changed }, null, 1);
        await writeFileDurably({ path, bytes, mode: 0o600 });
        records = changed;
      });
      last = next.catch(() => undefined);
      return next;
    },
  };
}

/** Manifests first. */
export const allBlobs = (made: RecordedBlobs | undefined): readonly Descriptor[] =>
  made ? [...made.manifests, made.config, ...made.layers] : [];

async function load(path: string): Promise<ImageRecords> {
  const text = await readIfPresent(readFile(path, 'utf8'));
  if (text === undefined) return [];
  const file = JSON.parse(text) as { version: number; images: ImageRecords };
  if (file.version !== 1) throw new Error(`${path}: written by a newer version of orc`);
  return file.images;
}

/**
 * The records with this one added. A name that led elsewhere leads here from now on; the same image under further names
 * or from another manifest keeps the names that it had.
 */
export function withRecord(records: ImageRecords, added: ImageRecord): ImageRecords {
  const moved = new Set(added.references.map((name) => name.canonical));
  const others = records
    .filter((record) => record.id !== added.id)
    .map((record) => ({
      ...record,
      references: record.references.filter((name) => !moved.has(name.canonical)),
    }));
  const before = records.find((record) => record.id === added.id);
  const written = new Set(added.references.map((name) => name.written));
  const kept = before?.references.filter((name) => !written.has(name.written)) ?? [];
  const { isPinned = false } = before ?? added;
  return [...others, { ...added, isPinned, references: [...kept, ...added.references] }];
}
