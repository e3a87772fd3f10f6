import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { pipeline } from 'node:stream/promises';
import type { TLSSocket } from 'node:tls';
import { nodeOfSubject } from '../../api/join.ts';
import { isDigest } from './digest.ts';
import { readGrowing } from './growing-file.ts';
import type { ImagePullParts } from './image-pull.ts';
import { type BlobState, type PeerIdentity, type PeerNetwork, stateHeader } from './peer-client.ts';
import type { Peers } from './peers.ts';

type Network = Pick<PeerNetwork, 'port' | 'identity'>;

interface Offer extends Network, Pick<ImagePullParts, 'blobs' | 'index' | 'log'> {
  readonly address: string;
  readonly peers: Peers;
}

/**
 * What this node has of images, for other nodes of the cluster and nobody else:
 *
 *   HEAD /blobs/DIGEST          200 with its state, or 404
 *   GET  /blobs/DIGEST          206 from `Range` on, as it comes; unverified, unless it is whole
 *   GET  /manifests/DIGEST|NAME 200 or 404; of images that were pulled without credentials
 *
 * undefined: it can't listen, and nodes do without.
 */
export async function servePeers(options: Offer) {
  const { address, port, identity, log } = options;
  const tls = { requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' } as const;
  const server = createServer({ ...tls, ...secureContext(identity) }, (request, response) => {
    answer(options, request, response).catch((err: unknown) => {
      log.debug({ err, component: 'images', path: String(request.url) }, 'a node was not served');
      response.destroy();
    });
  });
  try {
    server.listen(port, address);
    await once(server, 'listening');
  } catch (err) {
    log.warn({ err, component: 'images', address }, 'other nodes are given no layers');
    return undefined;
  }
  return {
    renew: (renewed: PeerIdentity) => server.setSecureContext(secureContext(renewed)),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

const secureContext = ({ ca, key, certificate: cert }: PeerIdentity) => ({ ca, key, cert });

async function answer(options: Offer, request: IncomingMessage, response: ServerResponse) {
  const node = nodeOfSubject((request.socket as TLSSocket).getPeerCertificate().subject);
  if (node === undefined) return void response.writeHead(403).end();
  const [, kind, text = ''] = /^\/(blobs|manifests)\/([^/]+)$/.exec(request.url ?? '') ?? [];
  const key = decodeURIComponent(text);
  if (kind === 'manifests') return sendManifest(options, key, response);
  if (!isDigest(key)) return void response.writeHead(404).end();
  const { blobs, peers } = options;
  const whole = await blobs.findWhole(key);
  const blob = whole ?? blobs.coming(key);
  if (blob === undefined) return void response.writeHead(404).end();
  if (request.method === 'HEAD') {
    const underWay = peers.isFetching(key) ? 'fetching' : 'asking';
    const state: BlobState = whole ? 'whole' : underWay;
    if (state === 'asking') peers.askedBy(node, key);
    return void response.writeHead(200, { [stateHeader]: state }).end();
  }
  const [, from = 0] = /^bytes=(\d{1,15})-$/.exec(request.headers.range ?? '') ?? [];
  response.writeHead(206).flushHeaders();
  await pipeline(readGrowing(blob, Number(from)), response);
}

async function sendManifest({ index, blobs }: Offer, key: string, response: ServerResponse) {
  const manifest = index.openManifest(key);
  const bytes = manifest && (await blobs.read(manifest.digest));
  if (bytes === undefined) return void response.writeHead(404).end();
  response.writeHead(200, { 'content-type': manifest?.mediaType }).end(bytes);
}
