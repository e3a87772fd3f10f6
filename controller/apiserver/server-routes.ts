import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Kind } from '../../api/kind.ts';
import { StatusError } from '../../api/status.ts';
import * as discovery from './discovery.ts';
import type { Exchange } from './fastify-app.ts';
import { mediaTypes } from './media-type.ts';
import { encodeOpenApiV2, openApiV2Type } from './openapi-v2.ts';
import { openApiDocument, openApiIndex } from './openapi-v3.ts';
import { groupVersionPath } from './resource-path.ts';
import { reviewKinds } from './review-routes.ts';
import { usageKinds } from './usage-routes.ts';

/** Without authentication: the version, which clients ask before they know who they are. */
export function addVersionRoute(app: FastifyInstance): void {
  app.get('/version', (_, reply) => reply.send(version));
}

/** Documents about the API itself, made once: the kinds don't change while the server runs. */
export function addDocumentRoutes(app: FastifyInstance, kinds: readonly Kind[]): void {
  const serve = (url: string, document: object, more: readonly Document[] = []) => {
    const plain = documentOf('application/json', JSON.stringify(document));
    app.get(url, (request, reply) => {
      const accepted = (request.headers.accept ?? '').split(',').map(inOrder);
      const asked = more.find(({ type }) => accepted.includes(inOrder(type)));
      return sendDocument(asked ?? plain, { request, reply });
    });
  };
  const listed = [...kinds, ...usageKinds, ...reviewKinds];
  const isCore = ({ group }: Kind) => group === '';
  serve('/api', discovery.coreVersions, aggregated(listed.filter(isCore)));
  const others = listed.filter((kind) => !isCore(kind));
  serve('/apis', discovery.groupList(listed), aggregated(others));
  for (const group of new Set(others.map((kind) => kind.group)))
    serve(`/apis/${group}`, discovery.groupDocument(listed, group));
  for (const groupVersion of discovery.groupVersionsOf(listed))
    serve(groupVersionPath(groupVersion), discovery.resourceList(listed, groupVersion));
  for (const groupVersion of discovery.groupVersionsOf(kinds))
    serve(`/openapi/v3${groupVersionPath(groupVersion)}`, openApiDocument(kinds, groupVersion));
  serve('/openapi/v3', openApiIndex(kinds));
  addOpenApiV2(app, kinds);
}

/** The parameters of a media type come in any order. */
const inOrder = (type: string) => type.replaceAll(' ', '').split(';').sort().join(';');

const aggregated = (kinds: readonly Kind[]): readonly Document[] =>
  ['v2', 'v2beta1'].map((v) => {
    const type = `application/json;g=apidiscovery.k8s.io;v=${v};as=APIGroupDiscoveryList`;
    return documentOf(type, JSON.stringify(discovery.aggregatedList(kinds, v)));
  });

type Document = ReturnType<typeof documentOf>;

function documentOf(type: string, body: string | Buffer) {
  const hash = createHash('sha256').update(body).digest('hex');
  return { type, body: Buffer.from(body), etag: `"${hash.slice(0, 32)}"` };
}

/** Clients keep it, and ask whether it is still the same. */
function sendDocument({ type, body, etag }: Document, { request, reply }: Exchange) {
  reply.header('etag', etag).header('vary', 'Accept');
  if (request.headers['if-none-match']?.includes(etag)) return reply.code(304).send();
  return reply.type(type).send(body);
}

/** The API that orc is a subset of. */
const version = {
  major: '1',
  minor: '33',
  gitVersion: 'v1.33.0+orc',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: 'node',
  platform: `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`,
};

const notAcceptable = () =>
  new StatusError('NotAcceptable', `only ${openApiV2Type} is there; for JSON see /openapi/v3`);

function addOpenApiV2(app: FastifyInstance, kinds: readonly Kind[]): void {
  const document = documentOf(openApiV2Type, encodeOpenApiV2(kinds));
  app.get('/openapi/v2', (request, reply) => {
    const accepted = mediaTypes(request.headers.accept ?? '*/*').map(({ type }) => type);
    if (!accepted.includes(openApiV2Type.toLowerCase()) && !accepted.includes('*/*'))
      throw notAcceptable();
    return sendDocument(document, { request, reply });
  });
}
