import { pipeline } from 'node:stream/promises';
import type { ApiServer, Call, Streaming } from './call.ts';
import { containerTarget } from './pod-target.ts';
import { logOptions } from './request-options.ts';

/** pods/log: text as it is written, until its end or until the client hangs up. */
export async function podLogs(call: Call, server: ApiServer): Promise<Streaming> {
  const { cache, clock, podAccess, closing, log } = server;
  const wanted = logOptions(call.query, clock.now());
  const { container, pod } = containerTarget(cache, call, wanted.container);
  const hungUp = new AbortController();
  // Also before there is a log: who asked may not wait for it.
  const { response } = call.raw;
  response.once('close', () => hungUp.abort());
  if (response.closed) hungUp.abort();
  const signal = AbortSignal.any([hungUp.signal, closing]);
  const chunks = await podAccess.logs(pod, { ...wanted, container }, signal);
  return {
    stream() {
      response.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'no-store' });
      response.flushHeaders();
      pipeline(chunks, response).catch((err: unknown) => {
        if (!signal.aborted)
          log.warn({ err, namespace: call.namespace, pod: call.name }, 'a log broke off');
      });
    },
  };
}
