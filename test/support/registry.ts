import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { hostPlatform } from '../../agent/images/manifest.ts';

/** A registry in this process, serving images from memory, that can be made to misbehave. */
export interface TestRegistry {
  /** 127.0.0.1:PORT, or what it was asked to listen on. */
  readonly host: string;
  readonly blobs: Map<string, Buffer>;
  /** By "REPOSITORY:TAG" and "REPOSITORY@DIGEST". */
  readonly manifests: Map<string, { readonly mediaType: string; readonly bytes: Buffer }>;
  readonly requests: readonly IncomingMessage[];
  /** Adds the image under NAME:TAG and returns its reference. */
  put(name: string, image: TestImage): string;
  /** The next `times` requests whose path matches get this answer. */
  instead(path: RegExp, answer: Answer, times?: number): void;
  close(): Promise<void>;
}

export type Answer = (
  request: IncomingMessage,
  response: ServerResponse,
  /** What it would have done. */
  ordinarily: () => void,
) => void;

export interface TestImage {
  /** Uncompressed tars, lowest first. */
  readonly layers: readonly Buffer[];
  readonly config?: object;
  /** Behind an image index. */
  readonly index?: boolean;
}

const oci = 'application/vnd.oci.image';

/** @param tls its presence means TLS */
export async function serveRegistry({
  address = '127.0.0.1',
  tls,
}: {
  address?: string;
  tls?: ServerOptions;
} = {}): Promise<TestRegistry> {
  const requests: IncomingMessage[] = [];
  const misbehaviour: { path: RegExp; answer: Answer; times: number }[] = [];
  const content = emptyContent();
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    requests.push(request);
    const special = misbehaviour.find((m) => m.times > 0 && m.path.test(request.url ?? ''));
    const ordinarily = () => serve(content, request, response);
    if (special === undefined) return ordinarily();
    special.times -= 1;
    special.answer(request, response, ordinarily);
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.listen(0, address);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const host = `${address.includes(':') ? `[${address}]` : address}:${port}`;
  return {
    host,
    ...content,
    requests,
    put: (name, image) => `${host}/${putImage(content, name, image)}`,
    instead: (path, answer, times = 1) => void misbehaviour.push({ path, answer, times }),
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

type Content = Pick<TestRegistry, 'blobs' | 'manifests'>;

function emptyContent(): Content {
  return { blobs: new Map(), manifests: new Map() };
}

function serve(content: Content, request: IncomingMessage, response: ServerResponse): void {
  const [, repository, kind, reference = ''] =
    /^\/v2\/(.+)\/(blobs|manifests)\/([^/?]+)/.exec(request.url ?? '') ?? [];
  if (kind === 'blobs') serveBlob(content.blobs.get(reference), request, response);
  else serveManifest(content.manifests.get(manifestKey(repository, reference)), response);
}

function manifestKey(repository: string | undefined, reference: string): string {
  return `${repository}${reference.startsWith('sha256:') ? '@' : ':'}${reference}`;
}

function serveManifest(
  manifest: { mediaType: string; bytes: Buffer } | undefined,
  response: ServerResponse,
): void {
  if (manifest === undefined)
    refuse(response, 404, { code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' });
  else response.writeHead(200, { 'content-type': manifest.mediaType }).end(manifest.bytes);
}

function serveBlob(
  blob: Buffer | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (blob === undefined) {
    refuse(response, 404, { code: 'BLOB_UNKNOWN', message: 'blob unknown' });
    return;
  }
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const range = { 'content-range': `bytes ${from}-${blob.length - 1}/${blob.length}` };
  const head = { 'content-length': blob.length - from };
  if (from === 0) response.writeHead(200, head).end(blob);
  else response.writeHead(206, { ...head, ...range }).end(blob.subarray(from));
}

/** The distribution-spec's error body. */
export function refuse(
  response: ServerResponse,
  status: number,
  error: { code: string; message: string },
): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ errors: [error] }));
}

function putImage(content: Content, name: string, image: TestImage): string {
  const [repository = '', tag = ''] = name.split(':');
  const put = (mediaType: string, bytes: Buffer) => {
    const digest = digestOf(bytes);
    content.blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const putManifest = (mediaType: string, document: object) => {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...document }));
    const digest = digestOf(bytes);
    for (const key of [`${repository}:${tag}`, `${repository}@${digest}`])
      content.manifests.set(key, { mediaType, bytes });
    return { mediaType, digest, size: bytes.length };
  };
  const [os, architecture] = hostPlatform().split('/');
  const rootfs = { type: 'layers', diff_ids: image.layers.map(digestOf) };
  const config = { os, architecture, config: image.config ?? {}, rootfs };
  const manifest = putManifest(`${oci}.manifest.v1+json`, {
    config: put(`${oci}.config.v1+json`, Buffer.from(JSON.stringify(config))),
    layers: image.layers.map((tar) => put(`${oci}.layer.v1.tar+gzip`, gzipSync(tar))),
  });
  if (image.index === true) {
    const entry = { ...manifest, platform: { os, architecture } };
    putManifest(`${oci}.index.v1+json`, { manifests: [entry] });
  }
  return name;
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
