import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Kind } from '../../api/kind.ts';
import { StatusError } from '../../api/status.ts';
import type { ServedKinds } from '../store/objects.ts';
import * as discovery from './discovery.ts';
import type { Exchange } from './fastify-app.ts';
import { mediaTypes } from './media-type.ts';
import { encodeOpenApiV2, openApiV2Type } from './openapi-v2.ts';
import { openApiDocument, openApiIndex } from './openapi-v3.ts';
import { groupVersionPath, partsOf } from './resource-path.ts';
import { noSuchPath } from './status-reply.ts';
import { unstoredKinds } from './unstored-kinds.ts';

/** Without authentication: the version, which clients ask before they know who they are. */
export function addVersionRoute(app: FastifyInstance): void {
  app.get('/version', (_, reply) => reply.send(version));
}

/** Documents about the API itself, as it is just now. */
export function addDocumentRoutes(app: FastifyInstance, kinds: ServedKinds): void {
  const documents = madeOf(kinds, documentsOf);
  const paths = ['/api', '/api/v1', '/apis', '/apis/:group', '/apis/:group/:version'];
  for (const url of [...paths, '/openapi/v3', '/openapi/v3/*'])
    app.get(url, (request, reply) => {
      const found = documents().get(partsOf(request).path)?.();
      if (found === undefined) throw noSuchPath();
      const accepted = (request.headers.accept ?? '').split(',').map(inOrder);
      const asked = found.others.find(({ type }) => accepted.includes(inOrder(type)));
      return sendDocument(asked ?? found.plain, { request, reply });
    });
  addOpenApiV2(app, kinds);
}

/** The parameters of a media type come in any order. */
const inOrder = (type: string) => type.replaceAll(' ', '').split(';').sort().join(';');

/** By their paths; each is made when it is asked for, once. */
function documentsOf(kinds: readonly Kind[]) {
  const listed = [...kinds, ...unstoredKinds.keys()];
  const core = listed.filter(({ group }) => group === '');
  const others = listed.filter(({ group }) => group !== '');
  return new Map([
    made('/api', () => discovery.coreVersions, core),
    made('/apis', () => discovery.groupList(listed), others),
    made('/openapi/v3', () => openApiIndex(kinds)),
    ...new Set(others.map(({ group }) => group))
      .values()
      .map((group) => made(`/apis/${group}`, () => discovery.groupDocument(listed, group))),
    ...discovery
      .groupVersionsOf(listed)
      .map((of) => made(groupVersionPath(of), () => discovery.resourceList(listed, of))),
    ...discovery
      .groupVersionsOf(kinds)
      .map((of) => made(`/openapi/v3${groupVersionPath(of)}`, () => openApiDocument(kinds, of))),
  ]);
}

/** `aggregate`: the kinds that the aggregated documents beside the plain one are about. */
function made(path: string, plain: () => object, aggregate: readonly Kind[] = []) {
  let documents: { readonly plain: Document; readonly others: readonly Document[] } | undefined;
  const make = () => ({
    plain: documentOf('application/json', JSON.stringify(plain())),
    others: aggregated(aggregate),
  });
  return [path, () => (documents ??= make())] as const;
}

const aggregated = (kinds: readonly Kind[]): readonly Document[] =>
  (kinds.length === 0 ? [] : ['v2', 'v2beta1']).map((v) => {
    const type = `application/json;g=apidiscovery.k8s.io;v=${v};as=APIGroupDiscoveryList`;
    return documentOf(type, JSON.stringify(discovery.aggregatedList(kinds, v)));
  });

/** Made again when the kinds have changed. */
function madeOf<T>(kinds: ServedKinds, make: (all: readonly Kind[]) => T): () => T {
  let from: readonly Kind[] = [];
  let made = make(from);
  return () => {
    if (from !== kinds.all) made = make((from = kinds.all));
    return made;
  };
}

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

function addOpenApiV2(app: FastifyInstance, kinds: ServedKinds): void {
  const made = madeOf(kinds, (all) => documentOf(openApiV2Type, encodeOpenApiV2(all)));
  app.get('/openapi/v2', (request, reply) => {
    const accepted = mediaTypes(request.headers.accept ?? '*/*').map(({ type }) => type);
    if (!accepted.includes(openApiV2Type.toLowerCase()) && !accepted.includes('*/*'))
      throw notAcceptable();
    return sendDocument(made(), { request, reply });
  });
}
