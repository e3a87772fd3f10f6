import { openAsBlob } from 'node:fs';
import { blobPath, type Descriptor, type OciImage } from './oci-image.ts';

export interface PushTarget {
  /** http://HOST:PORT of the registry. */
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
}

/** Uploads what the registry doesn't have yet, then the manifests. Returns the digest that the tag now points to. */
export async function pushImage(image: OciImage, { registry, repository, tag }: PushTarget) {
  const url = `${registry}/v2/${repository}`;
  for (const blob of [...image.layers, image.config]) await pushBlob(image, blob, url);
  const top = image.manifests.at(-1) as Descriptor;
  const named = [...image.manifests.map((one) => [one.digest, one] as const), [tag, top] as const];
  for (const [reference, { digest, mediaType }] of named) {
    const body = await openAsBlob(blobPath(image, digest), { type: mediaType });
    await call(`${url}/manifests/${reference}`, { method: 'PUT', body }, [201]);
  }
  return top.digest;
}

async function pushBlob(image: OciImage, { digest }: Descriptor, url: string): Promise<void> {
  const present = await call(`${url}/blobs/${digest}`, { method: 'HEAD' }, [200, 404]);
  if (present.status === 200) return;
  const upload = await call(`${url}/blobs/uploads/`, { method: 'POST' }, [202]);
  const location = new URL(upload.headers.get('location') ?? '', url);
  location.searchParams.set('digest', digest);
  const type = 'application/octet-stream';
  const body = await openAsBlob(blobPath(image, digest), { type });
  await call(location.href, { method: 'PUT', body }, [201]);
}

async function call(url: string, wanted: RequestInit, accept: readonly number[]) {
  const response = await fetch(url, wanted);
  const text = await response.text();
  const { status } = response;
  if (accept.includes(status)) return response;
  throw new Error(`${wanted.method} ${url}: the registry answered ${status} ${text.trim()}`);
}
