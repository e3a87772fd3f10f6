import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Kind } from '../../api/kind.ts';
import { StatusError } from '../../api/status.ts';
import type { ServedKinds } from '../store/objects.ts';
import * as discovery from './discovery.ts';
import { mediaTypes } from './media-type.ts';
import { encodeOpenApiV2, openApiV2Type } from './openapi-v2.ts';
import { openApiDocument, openApiIndex } from './openapi-v3.ts';
import { groupVersionPath } from './resource-path.ts';
import { noSuchPath } from './status-reply.ts';
import { usageKinds } from './usage-routes.ts';

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
      const text = documents().get(request.url.split('?')[0] ?? '')?.();
      if (text === undefined) throw noSuchPath();
      return reply.type('application/json').send(text);
    });
  addOpenApiV2(app, kinds);
}

/** By their paths; each is made when it is asked for, once. */
function documentsOf(kinds: readonly Kind[]): ReadonlyMap<string, () => string> {
  const listed = [...kinds, ...usageKinds];
  const groups = new Set(listed.map(({ group }) => group));
  const made = (path: string, make: () => unknown) => {
    let text: string | undefined;
    return [path, () => (text ??= JSON.stringify(make()))] as const;
  };
  return new Map([
    made('/api', () => discovery.coreVersions),
    made('/apis', () => discovery.groupList(listed)),
    made('/openapi/v3', () => openApiIndex(kinds)),
    ...[...groups].map((group) =>
      made(`/apis/${group}`, () => discovery.groupDocument(listed, group)),
    ),
    ...discovery
      .groupVersionsOf(listed)
      .flatMap((of) => [
        made(groupVersionPath(of), () => discovery.resourceList(listed, of)),
        made(`/openapi/v3${groupVersionPath(of)}`, () => openApiDocument(kinds, of)),
      ]),
  ]);
}

/** Made again when the kinds have changed. */
function madeOf<T>(kinds: ServedKinds, make: (all: readonly Kind[]) => T): () => T {
  let from: readonly Kind[] = [];
  let made = make(from);
  return () => {
    if (from !== kinds.all) made = make((from = kinds.all));
    return made;
  };
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
  const made = madeOf(kinds, (all) => {
    const document = encodeOpenApiV2(all);
    const hash = createHash('sha256').update(document).digest('hex').slice(0, 32);
    return { document, etag: `"${hash}"` };
  });
  app.get('/openapi/v2', (request, reply) => {
    const accepted = mediaTypes(request.headers.accept ?? '*/*').map(({ type }) => type);
    if (!accepted.includes(openApiV2Type.toLowerCase()) && !accepted.includes('*/*'))
      throw notAcceptable();
    const { document, etag } = made();
    return reply.type(openApiV2Type).header('etag', etag).send(document);
  });
}
