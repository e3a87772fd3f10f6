import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip, zstdCompress } from 'node:zlib';
import { packLayer } from './layer.ts';
import { type LayerRecipe, layerFiles } from './layer-recipe.ts';
import { type DebianPackage, ensureDirectory, ensurePackages } from './packages.ts';

/** What an image is made of: inert data; its JSON and the package versions are the key of the cache. */
export interface ImageRecipe {
  readonly name: string;
  readonly layers: readonly LayerRecipe[];
  /** As in the OCI image configuration. */
  readonly config: ImageSettings;
  /** Publish behind an image index, as multi-platform images are. */
  readonly index: boolean;
}

interface ImageSettings {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env: readonly string[];
  readonly WorkingDir?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly StopSignal?: string;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: string; readonly architecture: string };
}

/** An image on disk, in an OCI image layout: blobs are `directory`/blobs/sha256/HEX. */
export interface OciImage {
  readonly name: string;
  readonly directory: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  /** In the order in which a registry accepts them; the last one is what a tag points to. */
  readonly manifests: readonly Descriptor[];
}

const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch as string] ?? process.arch;

/** Builds the image, or finds it below `cacheDir` from last time. Needs apt-get and dpkg, but no root. */
export async function buildImage(recipe: ImageRecipe, cacheDir: string): Promise<OciImage> {
  const names = [...new Set(recipe.layers.flatMap((layer) => layer.packages))];
  const packages = await ensurePackages(names, cacheDir);
  const pack = async (layer: LayerRecipe) => packLayer(await layerFiles(layer, packages));
  const tars = () => Promise.all(recipe.layers.map(pack));
  const key = cacheKey(recipe, packages);
  return ensureImage({ ...recipe, key, compression: 'gzip', tars }, cacheDir);
}

export interface ImageSource extends Pick<ImageRecipe, 'name' | 'config' | 'index'> {
  /** Another one for whatever changes the bytes. */
  readonly key: string;
  readonly layers: readonly Pick<LayerRecipe, 'comment'>[];
  readonly compression: keyof typeof compressors;
  /** Of the layers. Called if the image isn't there. */
  tars(): Promise<readonly Buffer[]>;
}

const compressors = { gzip: promisify(gzip), zstd: promisify(zstdCompress) };

export async function ensureImage(source: ImageSource, cacheDir: string): Promise<OciImage> {
  const directory = join(cacheDir, 'images', `${source.name}-${source.key}`);
  await ensureDirectory(directory, async (partial) => {
    await mkdir(join(partial, 'blobs/sha256'), { recursive: true });
    await writeLayout(partial, await assemble(source, partial));
  });
  return JSON.parse(await readFile(join(directory, 'orc-image.json'), 'utf8'), (field, value) =>
    field === 'directory' ? directory : value,
  ) as OciImage;
}

function cacheKey(recipe: ImageRecipe, packages: readonly DebianPackage[]): string {
  const text = JSON.stringify([recipe, packages.map((p) => p.file), architecture, 'layout 1']);
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

async function assemble(source: ImageSource, directory: string): Promise<OciImage> {
  const { compression } = source;
  const tars = await source.tars();
  const mediaType = `application/vnd.oci.image.layer.v1.tar+${compression}`;
  const layers = await Promise.all(
    tars.map(async (tar) => writeBlob(directory, mediaType, await compressors[compression](tar))),
  );
  const config = await writeJson(directory, 'application/vnd.oci.image.config.v1+json', {
    created: '2024-01-01T00:00:00Z',
    architecture,
    os: 'linux',
    config: source.config,
    rootfs: { type: 'layers', diff_ids: tars.map(digestOf) },
    history: source.layers.map((layer) => ({ created_by: layer.comment })),
  });
  const manifest = await writeJson(directory, manifestType, {
    ...{ schemaVersion: 2, mediaType: manifestType, config, layers },
  });
  const index = {
    ...{ schemaVersion: 2, mediaType: indexType },
    manifests: [{ ...manifest, platform: { os: 'linux', architecture } }],
  };
  const above = source.index ? [await writeJson(directory, indexType, index)] : [];
  return { name: source.name, directory, config, layers, manifests: [manifest, ...above] };
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const indexType = 'application/vnd.oci.image.index.v1+json';

const writeJson = (directory: string, mediaType: string, value: object): Promise<Descriptor> =>
  writeBlob(directory, mediaType, Buffer.from(JSON.stringify(value)));

async function writeBlob(directory: string, mediaType: string, bytes: Buffer): Promise<Descriptor> {
  const digest = digestOf(bytes);
  await writeFile(blobPath({ directory }, digest), bytes);
  return { mediaType, digest, size: bytes.length };
}

async function writeLayout(directory: string, image: OciImage): Promise<void> {
  const index = { schemaVersion: 2, manifests: image.manifests.slice(-1) };
  await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(directory, 'index.json'), JSON.stringify(index));
  await writeFile(join(directory, 'orc-image.json'), JSON.stringify(image));
}

const digestOf = (bytes: Uint8Array): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export const blobPath = (image: Pick<OciImage, 'directory'>, digest: string): string =>
  join(image.directory, 'blobs', digest.replace(':', '/'));
