import type { ImageConfig } from '../ports.ts';
import { isDigest } from './digest.ts';
import { ImageError } from './image-error.ts';
import { hostPlatform, isObject, type JsonObject, parseObject } from './manifest.ts';

/** An image's configuration (OCI image-spec, config.md). Throws ImageError InvalidManifest or UnsupportedPlatform. */
export function parseImageConfig(bytes: Uint8Array, layerCount: number) {
  const document = parseObject(bytes, 'image configuration');
  const platform = `${String(document.os)}/${String(document.architecture)}`;
  if (platform !== hostPlatform())
    throw new ImageError('UnsupportedPlatform', `the image is for ${platform}`);
  const settings = isObject(document.config) ? document.config : {};
  const config: ImageConfig = {
    entrypoint: strings(settings, 'Entrypoint'),
    cmd: strings(settings, 'Cmd'),
    env: strings(settings, 'Env'),
    workingDir: text(settings, 'WorkingDir'),
    user: text(settings, 'User'),
    volumes: isObject(settings.Volumes) ? Object.keys(settings.Volumes) : [],
    stopSignal: text(settings, 'StopSignal') || undefined,
  };
  return { config, diffIds: diffIds(document, layerCount) };
}

/** Digests of the uncompressed layers, lowest first. */
function diffIds(document: JsonObject, layerCount: number): readonly string[] {
  const ids = isObject(document.rootfs) ? document.rootfs.diff_ids : undefined;
  if (!Array.isArray(ids) || !ids.every(isDigest)) throw invalid('rootfs.diff_ids are not digests');
  if (ids.length !== layerCount)
    throw invalid(`${ids.length} diff_ids for ${layerCount} layers in the manifest`);
  return ids;
}

function strings(settings: JsonObject, field: string): readonly string[] {
  const value = settings[field] ?? [];
  if (Array.isArray(value) && value.every(isText)) return value;
  throw invalid(`${field} is not a list of strings`);
}

function text(settings: JsonObject, field: string): string {
  const value = settings[field] ?? '';
  if (isText(value)) return value;
  throw invalid(`${field} is not a string`);
}

/** The kernel's strings end at a zero byte: one inside would hide what follows it. */
const isText = (value: unknown): value is string =>
  typeof value === 'string' && !value.includes('\0');

const invalid = (why: string): ImageError =>
  new ImageError('InvalidManifest', `invalid image configuration: ${why}`);
