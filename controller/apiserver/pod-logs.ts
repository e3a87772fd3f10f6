import { pipeline } from 'node:stream/promises';
import type { PodLogOptions } from '../pod-access.ts';
import type { ApiServer, Call, Streaming } from './call.ts';
import { containerTarget } from './pod-target.ts';
import { badRequest, count, flag } from './request-options.ts';

/** pods/log: text as it is written, until its end or until the client hangs up. */
export async function podLogs(call: Call, server: ApiServer): Promise<Streaming> {
  const { cache, clock, podAccess, closing, log } = server;
  const target = containerTarget(cache, call, call.query.get('container') ?? '');
  const options = logOptions(call.query, target.container, clock.now());
  const hungUp = new AbortController();
  const signal = AbortSignal.any([hungUp.signal, closing]);
  const chunks = await podAccess.logs(target.pod, options, signal);
  return {
    stream(response) {
      response.on('close', () => hungUp.abort());
      if (response.closed) hungUp.abort();
      response.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'no-store' });
      response.flushHeaders();
      pipeline(chunks, response).catch((err: unknown) => {
        if (!signal.aborted)
          log.warn({ err, namespace: call.namespace, pod: call.name }, 'a log broke off');
      });
    },
  };
}

const logOptions = (query: URLSearchParams, container: string, now: number): PodLogOptions => ({
  container,
  follow: flag(query, 'follow'),
  previous: flag(query, 'previous'),
  timestamps: flag(query, 'timestamps'),
  tailLines: count(query, 'tailLines'),
  sinceMs: sinceOf(query, now),
  limitBytes: count(query, 'limitBytes'),
});

function sinceOf(query: URLSearchParams, now: number): number | undefined {
  const seconds = count(query, 'sinceSeconds');
  const time = query.get('sinceTime') ?? '';
  if (seconds !== undefined && time !== '')
    throw badRequest('at most one of sinceTime or sinceSeconds may be specified');
  if (seconds !== undefined) return now - seconds * 1000;
  if (time === '') return undefined;
  const ms = Date.parse(time);
  if (Number.isNaN(ms)) throw badRequest(`sinceTime must be RFC 3339, not "${time}"`);
  return ms;
}
