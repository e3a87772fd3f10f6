import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { StatusError } from '../../api/status.ts';
import { authorize, authorizePath, unauthorized } from './authorize.ts';
import type { ApiServer, Call, User } from './call.ts';
import { addHealthRoutes } from './health.ts';
import { addMetricsRoutes, countRequest } from './metrics-routes.ts';
import { type ResourceRoute, routeOf } from './resource-routes.ts';
import { addDocumentRoutes, addVersionRoute } from './server-routes.ts';
import { maxBodyBytes, noSuchPath, statusOf, tooLarge, toStatusError } from './status-reply.ts';

/** All routes of the API, on fastify's router; sockets are api-server.ts' business. */
export function fastifyApp(server: ApiServer): FastifyInstance {
  const app = fastify({
    exposeHeadRoutes: false,
    // Who sends somewhat too much is heard out, and so sees the answer.
    bodyLimit: 4 * maxBodyBytes,
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
      authorizePath(requireUser(server, request), request.url.split('?')[0] ?? '');
    });
    addDocumentRoutes(scope, server.cache.kinds);
    addMetricsRoutes(scope, server);
  });
  addResourceRoutes(app, server);
  return app;
}

/** Kinds come and go: what a path stands for is found out with each request. */
function addResourceRoutes(app: FastifyInstance, server: ApiServer): void {
  const routes = new WeakMap<FastifyRequest, ResourceRoute>();
  const found = (request: FastifyRequest) =>
    routes.getOrInsertComputed(request, ({ method, url }) =>
      routeOf(server.cache.kinds, method, url.split('?')[0] ?? ''),
    );
  for (const url of ['/api/*', '/apis/*'])
    app.route({
      method: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
      url,
      onRequest: async (request) => {
        const user = requireUser(server, request);
        authorize(user, found(request));
      },
      handler: (request, reply) => respond(found(request), server, { request, reply }),
      onResponse: async (request, reply) => {
        const route = routes.get(request);
        if (route) countRequest(server.metrics, route, { request, reply });
      },
    });
}

function requireUser({ authenticate }: ApiServer, request: FastifyRequest): User {
  const user = authenticate(request.raw);
  if (!user) throw unauthorized(request.raw.socket);
  return user;
}

type Exchange = Readonly<{ request: FastifyRequest; reply: FastifyReply }>;

async function respond(route: ResourceRoute, server: ApiServer, exchange: Exchange) {
  const { request, reply } = exchange;
  const warnings: string[] = [];
  const call = callOf(route, request, {
    user: requireUser(server, request),
    warn: (text) => warnings.push(text),
  });
  const outcome = await route.handle(call, server);
  if ('stream' in outcome) {
    reply.hijack();
    // It has no hooks from here on.
    countRequest(server.metrics, route, exchange);
    outcome.stream(reply.raw);
    return;
  }
  if (warnings.length > 0) reply.header('warning', warnings.map(warningHeader));
  return reply.code(outcome.code).type('application/json').send(outcome.body);
}

function callOf(
  { kind, namespace, name, subresource }: ResourceRoute,
  request: FastifyRequest,
  { user, warn }: Pick<Call, 'user' | 'warn'>,
): Call {
  const { headers, body } = request;
  return {
    ...{ kind, namespace, name, subresource },
    query: new URLSearchParams(request.url.split('?')[1] ?? ''),
    accept: headers.accept ?? '',
    contentType: (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '',
    userAgent: headers['user-agent'] ?? '',
    body: Buffer.isBuffer(body) ? body : Buffer.alloc(0),
    user,
    warn,
  };
}

/** RFC 7234: 299 is "miscellaneous persistent warning"; kubectl prints the text. */
const warningHeader = (text: string) =>
  `299 - "${text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&')}"`;

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
