import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { type Dispatcher, request } from 'undici';
import { blobPath, type Descriptor, type OciImage } from './oci-image.ts';

export interface PushTarget {
  /** http://HOST:PORT of the registry. */
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
  /** How to reach it if not by its address: an undici Agent on a unix socket, say. */
  readonly dispatcher?: Dispatcher;
}

/** Uploads what the registry doesn't have yet, then the manifests. Returns the digest that the tag now points to. */
export async function pushImage(image: OciImage, target: PushTarget): Promise<string> {
  for (const blob of [...image.layers, image.config]) await pushBlob(image, blob, target);
  for (const manifest of image.manifests) await pushManifest(image, manifest, target);
  const top = image.manifests.at(-1) as Descriptor;
  await pushManifest(image, { ...top, tag: target.tag }, target);
  return top.digest;
}

async function pushBlob(image: OciImage, blob: Descriptor, target: PushTarget): Promise<void> {
  const url = `${target.registry}/v2/${target.repository}/blobs`;
  const present = await call(target, {
    method: 'HEAD',
    url: `${url}/${blob.digest}`,
    accept: [200, 404],
  });
  if (present.statusCode === 200) return;
  const upload = await call(target, {
    method: 'POST',
    url: `${url}/uploads/`,
    accept: [202],
  });
  const location = new URL(String(upload.headers.location), target.registry);
  location.searchParams.set('digest', blob.digest);
  const body = createReadStream(blobPath(image, blob.digest));
  const headers = {
    'content-type': 'application/octet-stream',
    'content-length': String(blob.size),
  };
  await call(target, { method: 'PUT', url: location.href, body, headers, accept: [201] });
}

async function pushManifest(
  image: OciImage,
  manifest: Descriptor & { readonly tag?: string },
  target: PushTarget,
): Promise<void> {
  const reference = manifest.tag ?? manifest.digest;
  const url = `${target.registry}/v2/${target.repository}/manifests/${reference}`;
  const body = await readFile(blobPath(image, manifest.digest));
  const headers = { 'content-type': manifest.mediaType };
  await call(target, { method: 'PUT', url, body, headers, accept: [201] });
}

interface Call {
  readonly method: 'HEAD' | 'POST' | 'PUT';
  readonly url: string;
  readonly accept: readonly number[];
  readonly body?: Uint8Array | Readable;
  readonly headers?: Readonly<Record<string, string>>;
}

async function call(target: PushTarget, wanted: Call): Promise<Dispatcher.ResponseData> {
  const { method, url, body = null, headers = {} } = wanted;
  const via = target.dispatcher === undefined ? {} : { dispatcher: target.dispatcher };
  const response = await request(url, { method, body, headers, ...via });
  const text = await response.body.text();
  if (wanted.accept.includes(response.statusCode)) return response;
  throw new Error(`${method} ${url}: the registry answered ${response.statusCode} ${text.trim()}`);
}
