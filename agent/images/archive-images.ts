import { buffer } from 'node:stream/consumers';
import { digestOf } from './digest.ts';
import { ImageError } from './image-error.ts';
import type { ImageSource } from './image-source.ts';
import * as m from './manifest.ts';
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
  const isLayout = files.find('index.json') !== undefined;
  const images = await (isLayout ? layoutImages(files) : dockerImages(files, made));
  const source: ImageSource = {
    async fetchManifest(digest) {
      const bytes = made.get(digest) ?? (await contentOf(files, files.withDigest(digest), digest));
      const { mediaType, manifests } = m.parseObject(bytes, 'manifest');
      const usual = m.mediaTypes[manifests === undefined ? 'manifest' : 'index'];
      return { bytes, digest, mediaType: typeof mediaType === 'string' ? mediaType : usual };
    },
    async download({ digest }, sink) {
      if (sink.receivedBytes > 0) sink.restart();
      const file = existing(files.withDigest(digest), digest);
      for await (const chunk of files.read(file)) await sink.write(chunk);
    },
  };
  return { images, source };
}

const invalid = (why: string) => new ImageError('InvalidManifest', `the archive ${why}`);

function existing(file: ArchiveFile | undefined, what: unknown): ArchiveFile {
  if (file === undefined) throw invalid(`has no ${JSON.stringify(what)}`);
  return file;
}

/** Of a document. */
function contentOf(files: ArchiveFiles, found: ArchiveFile | undefined, what: string) {
  const file = existing(found, what);
  if (file.size > m.maxManifestBytes) throw invalid(`has a document of ${file.size} bytes`);
  return buffer(files.read(file));
}

/** OCI image-spec, image-layout.md. containerd's name is complete, the other one perhaps no more than a tag. */
async function layoutImages(files: ArchiveFiles): Promise<readonly ArchiveImage[]> {
  const bytes = await contentOf(files, files.find('index.json'), 'index.json');
  const { manifests } = m.parseObject(bytes, 'index.json');
  return m.list(manifests, 'manifests', 1000).flatMap((entry, i) => {
    const { digest, mediaType } = m.descriptor(entry, `manifests[${i}]`, m.maxManifestBytes);
    const told = m.isObject(entry) && m.isObject(entry.annotations) ? entry.annotations : {};
    const { 'org.opencontainers.image.ref.name': written } = told;
    const { 'io.containerd.image.name': name = written } = told;
    const names = typeof name === 'string' && /[:/]/.test(name) ? [name] : [];
    return m.acceptedManifestTypes.includes(mediaType) ? [{ digest, names }] : [];
  });
}

/** moby image-spec v1.2, "Combined Image JSON + Filesystem Changeset Format". Puts the manifests that it lacks into `made`. */
async function dockerImages(files: ArchiveFiles, made: Map<string, Buffer>) {
  const bytes = await contentOf(files, files.find('manifest.json'), 'index.json, manifest.json');
  const images: ArchiveImage[] = [];
  for (const entry of m.list(m.parseJson(bytes, 'manifest.json'), 'images', 1000)) {
    const { Config, Layers = [], RepoTags } = m.isObject(entry) ? entry : {};
    const layers = [];
    for (const name of m.list(Layers, 'Layers', 1000))
      layers.push(await layerOf(files, String(name)));
    const { digest, size } = existing(files.find(String(Config)), Config);
    const config = { mediaType: m.mediaTypes.config, digest, size };
    const document = { schemaVersion: 2, mediaType: m.mediaTypes.manifest, config, layers };
    const manifest = Buffer.from(JSON.stringify(document));
    const names = m.list(RepoTags ?? [], 'RepoTags', 1000).map(String);
    made.set(digestOf(manifest), manifest);
    images.push({ digest: digestOf(manifest), names });
  }
  return images;
}

const magic = { '+gzip': '1f8b', '+zstd': '28b52ffd' };

async function layerOf(files: ArchiveFiles, name: string): Promise<m.Descriptor> {
  const file = existing(files.find(name), name);
  const head = (await buffer(files.read(file, 4))).toString('hex');
  const [suffix = ''] = Object.entries(magic).find(([, bytes]) => head.startsWith(bytes)) ?? [];
  return { mediaType: m.mediaTypes.layer + suffix, digest: file.digest, size: file.size };
}
