import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Kind } from '../../api/kind.ts';
import { StatusError } from '../../api/status.ts';
import * as discovery from './discovery.ts';
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
  const serve = (url: string, document: unknown) => {
    const text = JSON.stringify(document);
    app.get(url, (_, reply) => reply.type('application/json').send(text));
  };
  serve('/api', discovery.coreVersions);
  const listed = [...kinds, ...usageKinds, ...reviewKinds];
  serve('/apis', discovery.groupList(listed));
  for (const group of new Set(listed.map((kind) => kind.group)))
    if (group !== '') serve(`/apis/${group}`, discovery.groupDocument(listed, group));
  for (const groupVersion of discovery.groupVersionsOf(listed))
    serve(groupVersionPath(groupVersion), discovery.resourceList(listed, groupVersion));
  for (const groupVersion of discovery.groupVersionsOf(kinds))
    serve(`/openapi/v3${groupVersionPath(groupVersion)}`, openApiDocument(kinds, groupVersion));
  serve('/openapi/v3', openApiIndex(kinds));
  addOpenApiV2(app, kinds);
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
  const document = encodeOpenApiV2(kinds);
  const etag = `"${createHash('sha256').update(document).digest('hex').slice(0, 32)}"`;
  app.get('/openapi/v2', (request, reply) => {
    const accepted = mediaTypes(request.headers.accept ?? '*/*').map(({ type }) => type);
    if (!accepted.includes(openApiV2Type.toLowerCase()) && !accepted.includes('*/*'))
      throw notAcceptable();
    return reply.type(openApiV2Type).header('etag', etag).send(document);
  });
}
