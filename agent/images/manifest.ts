import { isDigest } from './digest.ts';
import { ImageError } from './image-error.ts';

export type Descriptor = Readonly<{ mediaType: string; digest: string; size: number }>;

/** A descriptor whose content is a layer. */
export type LayerDescriptor = Descriptor & Readonly<{ compression: LayerCompression }>;

export type LayerCompression = 'gzip' | 'zstd' | 'none';

export interface ImageManifest {
  readonly kind: 'manifest';
  readonly config: Descriptor;
  /** Lowest first. */
  readonly layers: readonly LayerDescriptor[];
}

export type ImageIndex = Readonly<{ kind: 'index'; manifests: readonly PlatformDescriptor[] }>;

interface PlatformDescriptor extends Descriptor {
  /** "linux/amd64"; undefined where the index doesn't say. */
  readonly platform: string | undefined;
}

export const maxManifestBytes = 4 * 1024 * 1024;
const maxConfigBytes = 8 * 1024 * 1024;
const maxLayerBytes = 64 * 1024 ** 3;
/** overlayfs takes up to 500 lower directories; registries and docker stop at 127. */
const maxLayers = 127;
const maxPlatforms = 1000;

/** OCI's own. */
export const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const;
const dockerTypes = {
  manifest: 'application/vnd.docker.distribution.manifest.v2+json',
  index: 'application/vnd.docker.distribution.manifest.list.v2+json',
  config: 'application/vnd.docker.container.image.v1+json',
};
const manifestTypes = new Set<string>([mediaTypes.manifest, dockerTypes.manifest]);
const indexTypes = new Set<string>([mediaTypes.index, dockerTypes.index]);
const configTypes = new Set<string>([mediaTypes.config, dockerTypes.config]);
const layerTypes: Readonly<Record<string, LayerCompression>> = {
  'application/vnd.oci.image.layer.v1.tar': 'none',
  'application/vnd.oci.image.layer.v1.tar+gzip': 'gzip',
  'application/vnd.oci.image.layer.v1.tar+zstd': 'zstd',
  'application/vnd.docker.image.rootfs.diff.tar': 'none',
  'application/vnd.docker.image.rootfs.diff.tar.gzip': 'gzip',
  'application/vnd.docker.image.rootfs.diff.tar.zstd': 'zstd',
};

/** What to send as Accept. */
export const acceptedManifestTypes: readonly string[] = [...manifestTypes, ...indexTypes];

/**
 * Parses what a registry serves as a manifest. Throws ImageError: UnsupportedMediaType for what isn't an image,
 * InvalidManifest for a document that is ambiguous (CVE-2021-41190) or breaks the OCI image-spec.
 */
export function parseManifest(bytes: Uint8Array, contentType: string): ImageManifest | ImageIndex {
  const document = parseObject(bytes, 'manifest');
  const mediaType = contentType.split(';')[0]?.trim() ?? '';
  if ('layers' in document && 'manifests' in document)
    throw invalid('it has both layers and manifests');
  if (document.mediaType !== undefined && document.mediaType !== mediaType)
    throw invalid(`it was served as ${mediaType} but calls itself something else`);
  if (document.schemaVersion !== 2)
    throw unsupported(`manifest schema version ${String(document.schemaVersion)}`);
  if (manifestTypes.has(mediaType)) return imageManifest(document);
  if (indexTypes.has(mediaType)) return imageIndex(document);
  throw unsupported(`manifest of type ${mediaType || '(none)'}`);
}

/** The manifest for this platform. Entries without one count if nothing better is there. */
export function choosePlatform(index: ImageIndex, platform: string): Descriptor {
  const chosen =
    index.manifests.find((entry) => entry.platform === platform) ??
    (index.manifests.length === 1
      ? index.manifests.find((e) => e.platform === undefined)
      : undefined);
  if (chosen !== undefined) return chosen;
  const offered = [...new Set(index.manifests.map((entry) => entry.platform ?? 'unnamed'))];
  throw new ImageError(
    'UnsupportedPlatform',
    `no image for ${platform}, only for ${offered.slice(0, 20).join(', ') || 'nothing at all'}`,
  );
}

/** The platform of this process, in OCI's words. */
export function hostPlatform(): string {
  const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
  return `linux/${architectures[process.arch] ?? process.arch}`;
}

function imageManifest(document: JsonObject): ImageManifest {
  const config = descriptor(document.config, 'config', maxConfigBytes);
  if (!configTypes.has(config.mediaType))
    throw unsupported(`configuration of type ${config.mediaType}: not a container image`);
  const layers = list(document.layers, 'layers', maxLayers).map(layerDescriptor);
  return { kind: 'manifest', config, layers };
}

function layerDescriptor(value: unknown, index: number): LayerDescriptor {
  const layer = descriptor(value, `layers[${index}]`, maxLayerBytes);
  if (/foreign|nondistributable/.test(layer.mediaType))
    throw unsupported(`foreign layer ${layer.digest} (${layer.mediaType}): not in the registry`);
  const compression = layerTypes[layer.mediaType];
  if (compression === undefined)
    throw unsupported(`layer ${layer.digest} of type ${layer.mediaType}`);
  return { ...layer, compression };
}

function imageIndex(document: JsonObject): ImageIndex {
  const manifests = list(document.manifests, 'manifests', maxPlatforms).map((value, index) => ({
    ...descriptor(value, `manifests[${index}]`, maxManifestBytes),
    platform: platformOf(value),
  }));
  return { kind: 'index', manifests: manifests.filter((m) => manifestTypes.has(m.mediaType)) };
}

function platformOf(value: unknown): string | undefined {
  const platform = isObject(value) ? value.platform : undefined;
  if (!isObject(platform)) return undefined;
  return `${String(platform.os)}/${String(platform.architecture)}`;
}

export function descriptor(value: unknown, path: string, maxBytes: number): Descriptor {
  if (!isObject(value)) throw invalid(`${path} is not a descriptor`);
  const { mediaType, digest, size } = value;
  if (typeof mediaType !== 'string') throw invalid(`${path}.mediaType is missing`);
  if (!isDigest(digest)) throw invalid(`${path}.digest is not a sha256 digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw invalid(`${path}.size is not a number of bytes`);
  if (size > maxBytes)
    throw new ImageError('TooLarge', `${path} has ${size} bytes, more than ${maxBytes}`);
  return { mediaType, digest, size };
}

export function list(value: unknown, path: string, max: number): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(`${path} is not a list`);
  if (value.length > max)
    throw new ImageError('TooLarge', `${value.length} ${path}, more than ${max}`);
  return value;
}

export type JsonObject = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Throws InvalidManifest, naming `what`. */
export function parseObject(bytes: Uint8Array, what: string): JsonObject {
  const value = parseJson(bytes, what);
  if (!isObject(value)) throw invalid(`the ${what} is not an object`);
  return value;
}

export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ImageError('InvalidManifest', `the ${what} is not JSON`, { cause });
  }
}

const invalid = (why: string): ImageError =>
  new ImageError('InvalidManifest', `invalid image manifest: ${why}`);

const unsupported = (what: string): ImageError =>
  new ImageError('UnsupportedMediaType', `not supported: ${what}`);
