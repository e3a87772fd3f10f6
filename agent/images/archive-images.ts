import { buffer } from 'node:stream/consumers';
import { digestOf } from './digest.ts';
import { ImageError } from './image-error.ts';
import type { ImageSource } from './image-source.ts';
import {
  acceptedManifestTypes,
  descriptor,
  isObject,
  list,
  maxManifestBytes,
  mediaTypes,
  parseJson,
  parseObject,
} from './manifest.ts';
import type { ArchiveFile, ArchiveFiles } from './read-archive.ts';

export interface ArchiveImage {
  /** As the archive says them. */
  readonly names: readonly string[];
  /** Of its manifest or index. */
  readonly digest: string;
}

/** What `docker save` wrote, or is in an OCI image layout. What has a digest is found by what it is. Throws ImageError. */
export async function imagesIn(files: ArchiveFiles) {
  const made = new Map<string, Buffer>();
  const images = files.find('index.json')
    ? await layoutImages(files)
    : await dockerImages(files, made);
  const withDigest = (digest: string) => {
    const file = files.withDigest(digest);
    if (file === undefined) throw invalid(`it has nothing with the digest ${digest}`);
    return file;
  };
  const source: ImageSource = {
    async fetchManifest(wanted) {
      const bytes = made.get(wanted) ?? (await contentOf(files, withDigest(wanted)));
      const { mediaType, manifests } = parseObject(bytes, 'manifest');
      const usual = manifests === undefined ? mediaTypes.manifest : mediaTypes.index;
      return {
        bytes,
        digest: wanted,
        mediaType: typeof mediaType === 'string' ? mediaType : usual,
      };
    },
    async download({ digest }, sink) {
      if (sink.receivedBytes > 0) sink.restart();
      for await (const chunk of files.read(withDigest(digest))) await sink.write(chunk);
    },
  };
  return { images, source };
}

const maxImages = 1000;

const invalid = (why: string) => new ImageError('InvalidManifest', `the archive: ${why}`);

function contentOf(files: ArchiveFiles, file: ArchiveFile): Promise<Buffer> {
  if (file.size <= maxManifestBytes) return buffer(files.read(file));
  throw new ImageError('TooLarge', `the archive has a document of ${file.size} bytes`);
}

function existing(files: ArchiveFiles, name: unknown): ArchiveFile {
  const file = typeof name === 'string' ? files.find(name) : undefined;
  if (file === undefined) throw invalid(`it has no ${JSON.stringify(name)}`);
  return file;
}

/** OCI image-spec, image-layout.md. containerd's name is complete, the other one perhaps no more than a tag. */
async function layoutImages(files: ArchiveFiles): Promise<readonly ArchiveImage[]> {
  const bytes = await contentOf(files, existing(files, 'index.json'));
  const { manifests } = parseObject(bytes, 'index.json');
  return list(manifests, 'manifests', maxImages).flatMap((entry, i) => {
    const { digest, mediaType } = descriptor(entry, `manifests[${i}]`, maxManifestBytes);
    const told = isObject(entry) && isObject(entry.annotations) ? entry.annotations : {};
    const { 'org.opencontainers.image.ref.name': written } = told;
    const { 'io.containerd.image.name': name = written } = told;
    const names = typeof name === 'string' && /[:/]/.test(name) ? [name] : [];
    return acceptedManifestTypes.includes(mediaType) ? [{ digest, names }] : [];
  });
}

/** moby image-spec v1.2, "Combined Image JSON + Filesystem Changeset Format". Puts the manifests that it lacks into `made`. */
async function dockerImages(
  files: ArchiveFiles,
  made: Map<string, Buffer>,
): Promise<readonly ArchiveImage[]> {
  const file = files.find('manifest.json');
  if (file === undefined) throw invalid('it has neither index.json nor manifest.json');
  const entries = parseJson(await contentOf(files, file), 'manifest.json');
  if (!Array.isArray(entries) || !entries.every(isObject))
    throw invalid('its manifest.json is none');
  const images: ArchiveImage[] = [];
  for (const { Config, Layers, RepoTags } of entries) {
    const { size, digest } = existing(files, Config);
    const layers = [];
    for (const name of Array.isArray(Layers) ? Layers : [])
      layers.push(await layerDescriptor(files, existing(files, name)));
    const config = { mediaType: mediaTypes.config, size, digest };
    const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers };
    const bytes = Buffer.from(JSON.stringify(manifest));
    made.set(digestOf(bytes), bytes);
    images.push({
      digest: digestOf(bytes),
      names: Array.isArray(RepoTags) ? RepoTags.map(String) : [],
    });
  }
  return images;
}

const magic = { gzip: '1f8b', zstd: '28b52ffd' };

async function layerDescriptor(files: ArchiveFiles, file: ArchiveFile) {
  const head = (await buffer(files.read(file, 4))).toString('hex');
  const [compression] = Object.entries(magic).find(([, bytes]) => head.startsWith(bytes)) ?? [];
  const mediaType = compression ? `${mediaTypes.layer}+${compression}` : mediaTypes.layer;
  return { mediaType, digest: file.digest, size: file.size };
}
