import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Metrics } from '../../base/metrics.ts';
import type { ApiServer } from './call.ts';
import type { ResourceRoute } from './resource-routes.ts';

export const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

/** Prometheus' text of this controller; the nodes' own is behind nodes/proxy. */
export function addMetricsRoutes(app: FastifyInstance, { metrics }: ApiServer): void {
  app.get('/metrics', (_, reply) => reply.type(metricsType).send(metrics.text()));
}

/** Under the names that dashboards for Kubernetes look for. What goes on for as long as the client likes has no duration. */
export function countRequest(
  metrics: Metrics,
  { verb, kind, subresource }: ResourceRoute,
  reply: FastifyReply,
): void {
  const resource = subresource === '' ? kind.plural : `${kind.plural}/${subresource}`;
  const labels = { verb, resource };
  const code = reply.raw.statusCode;
  metrics.count('apiserver_request_total', 'Requests.', { ...labels, code });
  if (verb === 'watch' || subresource === 'log') return;
  const seconds = reply.elapsedTime / 1000;
  metrics.observe('apiserver_request_duration_seconds', 'Of requests.', { labels, seconds });
}
