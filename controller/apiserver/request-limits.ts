import { StatusError } from '../../api/status.ts';
import type { ApiServerDeps } from './call.ts';
import type { Exchange } from './fastify-app.ts';
import type { ResourceRoute } from './resource-routes.ts';

/** How many requests may be under way at once, those aside that go on for as long as the client likes. */
export type RequestLimits = Readonly<Record<RequestKind, number>>;

/** As Kubernetes'. What is under way then may happen nevertheless. */
export const requestTimeoutMs = 60_000;

type Deps = Pick<ApiServerDeps, 'requestLimits' | 'metrics' | 'clock'>;
type RequestKind = 'readOnly' | 'mutating';

/** Lets a request in until its answer is out, or throws TooManyRequests. */
export function openLimits({ requestLimits: limits, metrics, clock }: Deps) {
  const underWay = { readOnly: 0, mutating: 0 };
  for (const kind of ['readOnly', 'mutating'] as const)
    metrics.gauge('apiserver_current_inflight_requests', 'Requests under way, without watches.', {
      labels: { request_kind: kind },
      read: () => underWay[kind],
    });
  return (route: ResourceRoute, { request, reply }: Exchange): void => {
    if (goesOn(route)) return;
    const kind = request.method === 'GET' ? 'readOnly' : 'mutating';
    if (underWay[kind] >= limits[kind]) throw tooMany();
    underWay[kind]++;
    // Who reads the answer too slowly is cut off.
    const done = clock.after(2 * requestTimeoutMs, () => reply.raw.destroy());
    reply.raw.once('close', () => {
      done();
      underWay[kind]--;
    });
  };
}

/** Watches, logs, and what pods answer. */
const goesOn = ({ verb, subresource }: ResourceRoute): boolean =>
  verb === 'watch' || subresource === 'log' || subresource === 'proxy';

const tooMany = () =>
  new StatusError('TooManyRequests', 'too many requests, please try again later', {
    details: { retryAfterSeconds: 1 },
  });
