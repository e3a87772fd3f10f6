import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { StatusError } from '../../api/status.ts';
import { authorize, authorizePath, unauthorized } from './authorize.ts';
import type { ApiServer, Call, User } from './call.ts';
import { addHealthRoutes } from './health.ts';
import { addMetricsRoutes, countRequest } from './metrics-routes.ts';
import { proxyRoutes } from './proxy.ts';
import { type ResourceRoute, routesOf } from './resource-routes.ts';
import { addDocumentRoutes, addVersionRoute } from './server-routes.ts';
import { maxBodyBytes, noSuchPath, statusOf, tooLarge, toStatusError } from './status-reply.ts';
import { usageRoutes } from './usage-routes.ts';

/** All routes of the API, on fastify's router; sockets are api-server.ts' business. */
export function fastifyApp(server: ApiServer): FastifyInstance {
  const app = fastify({
    exposeHeadRoutes: false,
    // Who sends somewhat too much is heard out, and so sees the answer.
    bodyLimit: 4 * maxBodyBytes,
    routerOptions: { maxParamLength: 253 },
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
    addDocumentRoutes(scope, server.kinds);
    addMetricsRoutes(scope, server);
  });
  app.register(async (scope) => {
    for (const route of [...server.kinds.flatMap(routesOf), ...usageRoutes()])
      addResourceRoute(scope, route, server);
  });
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    for (const route of proxyRoutes()) addResourceRoute(scope, route, server);
  });
  return app;
}

function addResourceRoute(app: FastifyInstance, route: ResourceRoute, server: ApiServer): void {
  app.route({
    method: route.method,
    url: route.path,
    onRequest: async (request) => {
      authorize(requireUser(server, request), { ...route, ...addressOf(request) });
    },
    handler: (request, reply) => respond(route, server, { request, reply }),
    onResponse: async (request, reply) => countRequest(server.metrics, route, { request, reply }),
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
    raw: { request: request.raw, response: reply.raw },
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
  { kind, subresource }: ResourceRoute,
  request: FastifyRequest,
  given: Pick<Call, 'user' | 'raw' | 'warn'>,
): Call {
  const { headers, body } = request;
  return {
    kind,
    subresource,
    ...addressOf(request),
    query: new URLSearchParams(request.url.split('?')[1] ?? ''),
    accept: headers.accept ?? '',
    contentType: (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '',
    userAgent: headers['user-agent'] ?? '',
    body: Buffer.isBuffer(body) ? body : Buffer.alloc(0),
    ...given,
  };
}

function addressOf({ params }: FastifyRequest): { namespace: string; name: string } {
  const { namespace = '', name = '' } = params as Readonly<Record<string, string>>;
  return { namespace, name };
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
