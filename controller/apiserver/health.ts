import type { FastifyInstance } from 'fastify';
import { withDeadline } from '../../base/deadline.ts';
import type { ApiServer } from './call.ts';

/** Throws what is wrong. */
type Check = (server: ApiServer) => Promise<unknown> | undefined;

const ping: Check = () => undefined;

const alive = { ping, store: (server: ApiServer) => storeAnswers(server, 10_000) };

/** Of each endpoint, in the order of the answer. What doesn't answer at all has a stuck event loop. */
const endpoints: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  livez: alive,
  healthz: alive,
  readyz: {
    ping,
    store: (server) => storeAnswers(server, 2000),
    'informer-sync': inSync,
    shutdown,
  },
};

/** Without authentication, and in Kubernetes' words: /readyz, /readyz?verbose, /readyz/store, ?exclude=store. */
export function addHealthRoutes(app: FastifyInstance, server: ApiServer): void {
  for (const [endpoint, checks] of Object.entries(endpoints))
    for (const path of ['', ...Object.keys(checks).map((name) => `/${name}`)])
      app.route<{ Querystring: { verbose?: string; exclude?: string | string[] } }>({
        method: ['GET', 'HEAD'],
        url: `/${endpoint}${path}`,
        async handler({ query }, reply) {
          const wanted = Object.entries(checks).filter(([name]) =>
            path === '' ? ![query.exclude].flat().includes(name) : path === `/${name}`,
          );
          const results = await Promise.all(wanted.map((check) => resultOf(server, check)));
          const passed = results.every(({ ok }) => ok);
          const verdict = `${endpoint} check ${passed ? 'passed' : 'failed'}`;
          const isShort = passed && query.verbose === undefined;
          const text = isShort
            ? 'ok'
            : [...results.map(({ line }) => line), verdict, ''].join('\n');
          const code = passed ? 200 : 500;
          return reply.code(code).type('text/plain').send(text);
        },
      });
}

async function resultOf(server: ApiServer, [name, check]: readonly [string, Check]) {
  try {
    await check(server);
    return { ok: true, line: `[+]${name} ok` };
  } catch (err) {
    server.log.warn({ err, reason: name }, 'a health check failed');
    return { ok: false, line: `[-]${name} failed: reason withheld` };
  }
}

const storeAnswers = ({ clock, readStore }: ApiServer, ms: number) =>
  withDeadline({ clock, ms, what: 'reading the store' }, readStore);

function inSync({ cache, clock, currentRevision }: ApiServer) {
  const limit = { clock, ms: 2000, what: 'catching up with the store' };
  return withDeadline(limit, async (signal) => cache.reached(await currentRevision(), signal));
}

function shutdown({ closing }: ApiServer): undefined {
  if (closing.aborted) throw new Error('shutting down');
}
