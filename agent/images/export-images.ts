import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { digestHex } from './digest.ts';
import { wholeImage } from './image-blobs.ts';
import { findImage, type ImageCall, type ImageDesk } from './image-desk.ts';
import { allBlobs, type ImageName, type RecordedBlobs } from './image-index.ts';
import { mediaTypes } from './manifest.ts';

/**
 * A tar that is an OCI image layout and also what `docker save` writes, of the same blobs. The same images give the same
 * bytes. What is missing is fetched before it begins.
 */
export async function exportImages(
  { asked: { words = [] }, signal }: ImageCall,
  { store: { shelf } }: ImageDesk,
): Promise<Readable> {
  const { blobs, index } = shelf.parts;
  const images: ExportedImage[] = [];
  for (const { record, name } of words.map((word) => findImage(index.records(), word))) {
    const names = name ? [name] : record.references;
    images.push({ names, ...(await wholeImage(shelf, { record }, signal)) });
  }
  const tar = pack();
  const mtime = new Date(0);
  const all = images.flatMap(allBlobs);
  const write = async () => {
    for (const [name, document] of Object.entries(documentsOf(images)))
      tar.entry({ name, mtime }, JSON.stringify(document));
    for (const { digest, size } of new Map(all.map((blob) => [blob.digest, blob])).values()) {
      const content = createReadStream((await blobs.findWhole(digest))?.path ?? '');
      await pipeline(content, tar.entry({ name: blobName(digest), size, mtime }));
    }
    tar.finalize();
  };
  write().catch((error: Error) => tar.destroy(error));
  return Readable.from(tar);
}

type ExportedImage = RecordedBlobs & Readonly<{ names: readonly ImageName[] }>;

const blobName = (digest: string) => `blobs/sha256/${digestHex(digest)}`;

/** OCI image-spec, image-layout.md; moby image-spec v1.2. */
const documentsOf = (images: readonly ExportedImage[]) => ({
  'oci-layout': { imageLayoutVersion: '1.0.0' },
  'index.json': {
    ...{ schemaVersion: 2, mediaType: mediaTypes.index },
    manifests: images.flatMap(({ manifests, names: [first, ...others] }) =>
      [first, ...others].map((name) => ({ ...manifests.at(-1), annotations: annotationsOf(name) })),
    ),
  },
  'manifest.json': images.map(({ names, config, layers }) => ({
    Config: blobName(config.digest),
    RepoTags: names.map(({ canonical }) => canonical).filter((name) => !name.includes('@')),
    Layers: layers.map(({ digest }) => blobName(digest)),
  })),
});

/** containerd reads the first, podman and umoci the second. */
const annotationsOf = (name: ImageName | undefined) => ({
  'io.containerd.image.name': name?.canonical,
  'org.opencontainers.image.ref.name': name?.canonical,
});
