import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Node } from '../../api/node.ts';
import { notFound } from '../../api/status.ts';
import type { Metrics } from '../../base/metrics.ts';
import { authorize } from './authorize.ts';
import type { ApiServer } from './call.ts';
import { identify } from './identify.ts';
import { isWatch } from './request-limits.ts';
import type { ResourceRoute } from './resource-routes.ts';

const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

/** Prometheus' text of this controller. */
export function addMetricsRoutes(app: FastifyInstance, { metrics }: ApiServer): void {
  app.get('/metrics', (_, reply) => reply.type(metricsType).send(metrics.text()));
}

/** The same of the nodes, through their links: to who may get nodes/proxy. */
export function addNodeProxyRoutes(app: FastifyInstance, server: ApiServer): void {
  const { cache, podAccess, closing } = server;
  for (const what of ['metrics', 'healthz'] as const)
    app.get<{ Params: { name: string } }>(
      `/api/v1/nodes/:name/proxy/${what}`,
      {
        onRequest: async ({ raw, params: { name } }) => {
          const action = { verb: 'get', kind: Node, subresource: 'proxy', namespace: '', name };
          authorize(identify(server, raw), action, cache);
        },
      },
      async ({ params: { name } }, reply) => {
        if (!cache.get(Node, { namespace: '', name })) throw notFound(Node, name);
        return reply.type(metricsType).send(await podAccess.nodeText(name, what, closing));
      },
    );
}

/** Under the names that dashboards for Kubernetes look for. What goes on for as long as the client likes has no duration. */
export function countRequest(
  metrics: Metrics,
  { verb, kind, subresource }: ResourceRoute,
  { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
): void {
  const watches = isWatch(request.raw);
  const resource = subresource === '' ? kind.plural : `${kind.plural}/${subresource}`;
  const labels = { verb: watches ? 'watch' : verb, resource };
  const code = reply.raw.statusCode;
  metrics.count('apiserver_request_total', 'Requests.', { ...labels, code });
  if (watches || subresource === 'log') return;
  const seconds = reply.elapsedTime / 1000;
  metrics.observe('apiserver_request_duration_seconds', 'Of requests.', { labels, seconds });
}
