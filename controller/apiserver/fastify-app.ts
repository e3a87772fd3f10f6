import assert from 'node:assert/strict';
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type HTTPMethods,
} from 'fastify';
import type { StatusError } from '../../api/status.ts';
import type { User } from '../../api/user-info.ts';
import { withDeadline } from '../../base/deadline.ts';
import { authorize, authorizePath, roleAction } from './authorize.ts';
import type { ApiServer, Call } from './call.ts';
import { compressed } from './compress.ts';
import { addHealthRoutes } from './health.ts';
import { identify } from './identify.ts';
import { addMetricsRoutes, countRequest } from './metrics-routes.ts';
import { proxyPaths, proxyRoute } from './proxy.ts';
import { requestTimeoutMs } from './request-limits.ts';
import { partsOf } from './resource-path.ts';
import { type ResourceRoute, routeOf } from './resource-routes.ts';
import { addDocumentRoutes, addVersionRoute } from './server-routes.ts';
import { maxBodyBytes, noSuchPath, statusOf, tooLarge, toStatusError } from './status-reply.ts';

/** All routes of the API, on fastify's router; sockets are api-server.ts' business. */
export function fastifyApp(server: ApiServer): FastifyInstance {
  const app = fastify({
    exposeHeadRoutes: false,
    // Who sends somewhat too much is heard out, and so sees the answer.
    bodyLimit: 4 * maxBodyBytes,
    routerOptions: { maxParamLength: 300 },
    frameworkErrors: (error, request, reply) => {
      sendError(server, { error, request, reply });
    },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) =>
    body.length > maxBodyBytes ? done(tooLarge()) : done(null, body),
  );
  app.setErrorHandler((error, request, reply) => sendError(server, { error, request, reply }));
  app.setNotFoundHandler((_, reply) => sendStatus(reply, noSuchPath()));
  addVersionRoute(app);
  addHealthRoutes(app, server);
  for (const plugin of server.plugins ?? []) {
    app.register(async (scope) => {
      const parser = scope.getDefaultJsonParser('error', 'error');
      scope.addContentTypeParser('application/json', { parseAs: 'string' }, parser);
      scope.register(plugin);
    });
  }
  app.register(async (scope) => {
    scope.addHook('onRequest', async (request) => {
      const user = identify(server, request.raw);
      authorizePath(user, partsOf(request).path, server.cache);
    });
    addDocumentRoutes(scope, server.cache.kinds);
    addMetricsRoutes(scope, server);
  });
  addResourceRoutes(app, server, {
    urls: ['/api/*', '/apis/*'],
    method: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    routeOf: ({ raw }) => routeOf(server.cache.kinds, raw),
  });
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    addResourceRoutes(scope, server, {
      urls: proxyPaths,
      method: ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'],
      routeOf: proxyRoute,
    });
  });
  return app;
}

interface RoutesByRequest {
  readonly urls: readonly string[];
  readonly method: HTTPMethods[];
  readonly routeOf: (request: FastifyRequest) => ResourceRoute;
}

/** Kinds come and go: what a path stands for is found out with each request. */
function addResourceRoutes(
  app: FastifyInstance,
  server: ApiServer,
  { urls, method, routeOf }: RoutesByRequest,
): void {
  const found = new WeakMap<FastifyRequest, Found>();
  for (const url of urls)
    app.route({
      method,
      url,
      onRequest: async (request, reply) => {
        const user = identify(server, request.raw);
        const route = routeOf(request);
        found.set(request, { user, route });
        authorize(user, roleAction(route, partsOf(request).query), server.cache);
        server.letIn(route, { request, reply });
      },
      handler: (request, reply) => {
        const asked = found.get(request);
        assert(asked, 'a request without a route was let in');
        return respond(asked, server, { request, reply });
      },
      onResponse: async (request, reply) => {
        const { route } = found.get(request) ?? {};
        if (route) countRequest(server.metrics, route, reply);
      },
    });
}

/** Who asks, and for what. */
type Found = Readonly<{ user: User; route: ResourceRoute }>;

export type Exchange = Readonly<{ request: FastifyRequest; reply: FastifyReply }>;

async function respond({ user, route }: Found, server: ApiServer, exchange: Exchange) {
  const { request, reply } = exchange;
  const warnings = new Set<string>();
  const call = callOf(route, request, {
    user,
    raw: { request: request.raw, response: reply.raw },
    warn: (text) => warnings.add(text),
  });
  const limit = { clock: server.clock, ms: requestTimeoutMs, what: 'the request' };
  const outcome = await withDeadline(limit, () => route.handle(call, server));
  if ('stream' in outcome) {
    reply.hijack();
    // It has no hooks from here on.
    countRequest(server.metrics, route, reply);
    outcome.stream(reply.raw);
    return;
  }
  if (warnings.size > 0) reply.header('warning', warningHeaders(warnings));
  const body = await compressed(outcome.body, exchange);
  return reply.code(outcome.code).type('application/json').send(body);
}

function callOf(
  { kind, namespace, name, subresource }: ResourceRoute,
  request: FastifyRequest,
  given: Pick<Call, 'user' | 'raw' | 'warn'>,
): Call {
  const { headers, body } = request;
  return {
    ...{ kind, namespace, name, subresource },
    query: partsOf(request).query,
    accept: headers.accept ?? '',
    contentType: (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '',
    userAgent: headers['user-agent'] ?? '',
    body: Buffer.isBuffer(body) ? body : Buffer.alloc(0),
    ...given,
  };
}

/** In characters: clients take a few times as much in all of an answer's headers. As in Kubernetes. */
const maxWarnings = 4096;

/** RFC 7234: 299 is "miscellaneous persistent warning"; kubectl prints the text. */
function warningHeaders(texts: Iterable<string>): string[] {
  let left = maxWarnings;
  return Array.from(texts, (text) => text.slice(0, maxWarnings / 4))
    .filter(({ length }) => (left -= length) >= 0)
    .map((text) => text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&'))
    .map((text) => `299 - "${text}"`);
}

function sendError(
  { log }: ApiServer,
  { error, request, reply }: Exchange & { readonly error: unknown },
): FastifyReply {
  const status = toStatusError(error);
  if (status.reason === 'InternalError')
    log.error({ err: error, path: request.url }, 'a request failed');
  return sendStatus(reply, status);
}

function sendStatus(reply: FastifyReply, status: StatusError): FastifyReply {
  const { retryAfterSeconds } = status.details;
  if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds);
  const body = JSON.stringify(statusOf(status));
  return reply.code(status.code).type('application/json').send(body);
}
