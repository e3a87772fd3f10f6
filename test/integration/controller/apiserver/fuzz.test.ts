import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { kinds } from '../../../../api/kinds.ts';
import { parseObject } from '../../../../api/prepare.ts';
import { silentLog } from '../../../../base/log.ts';
import { buildApiServer } from '../../../../controller/apiserver/api-server.ts';
import { type ApiWorld, openApiWorld } from '../../../support/api-server.ts';
import { localPodAccess } from '../../../support/local-pod-access.ts';
import { type FuzzRequest, requestFuzz } from '../../../support/request-fuzz.ts';
import { seededRng } from '../../../support/seeded-rng.ts';

/** `make soak`: a million, or as many as half an hour allows. */
const isSoak = process.env.SOAK_FACTOR !== undefined;
const count = isSoak ? 1_000_000 : 10_000;
const limitMs = isSoak ? 1_800_000 : 40_000;
const seed = Number(process.env.FUZZ_SEED ?? 1);

/** What the rest is bred from. */
const spec = { containers: [{ name: 'web', image: 'web:1', ports: [{ containerPort: 80 }] }] };
const template = { metadata: { labels: { app: 'web' } }, spec };
const many = { replicas: 1, selector: { matchLabels: { app: 'web' } }, template };
const involvedObject = { kind: 'Pod', namespace: 'default', name: 'a' };
const seeds: Readonly<Record<string, object>> = {
  '/api/v1/nodes': { status: { capacity: { cpu: '2' } } },
  '/api/v1/namespaces': {},
  '/api/v1/namespaces/default/pods': { spec: { ...spec, nodeName: 'a' } },
  '/api/v1/namespaces/default/configmaps': { data: { a: 'b' } },
  '/api/v1/namespaces/default/secrets': { stringData: { a: 'b' } },
  '/api/v1/namespaces/default/services': { spec: { type: 'NodePort', ports: [{ port: 80 }] } },
  '/api/v1/namespaces/default/events': { involvedObject },
  '/apis/apps/v1/namespaces/default/deployments': { spec: many },
  '/apis/apps/v1/namespaces/default/replicasets': { spec: many },
  '/apis/coordination.k8s.io/v1/namespaces/default/leases': { spec: { holderIdentity: 'a' } },
  '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices': {
    ...{ addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'] }] },
  },
  '/apis/node.k8s.io/v1/runtimeclasses': { handler: 'runc' },
};

let world: ApiWorld;
let app: FastifyInstance;
const broken: string[] = [];
const answers: Record<number, number> = {};
/** What the last 500 was. */
let failure: unknown;
let done = 0;

beforeAll(async () => {
  world = await openApiWorld({ rng: seededRng(seed), podAccess: localPodAccess() });
  const log = {
    ...silentLog,
    error: (fields: unknown) => void (failure = (fields as { err?: unknown }).err),
  };
  app = buildApiServer({ ...world.deps, log }).app;
  world.cache.onChange(({ kind, object }) => {
    if (object === undefined) return;
    const parsed = parseObject(kind, object);
    const errors = ('errors' in parsed ? parsed.errors : []).filter(
      ({ message }) => message !== 'Forbidden: cannot be set on create',
    );
    if (errors.length > 0)
      broken.push(`${kind.kind} ${JSON.stringify(object)}: ${JSON.stringify(errors)}`);
  });
});

afterAll(async () => {
  await app.close();
  await world.close();
  console.log(`fuzz: ${done} requests from seed ${seed}: ${JSON.stringify(answers)}`);
});

it(
  'whatever is asked is answered in time and in order, and what is stored can be read',
  async () => {
    const next = requestFuzz(seededRng(seed), kinds, (kind) => world.cache.list(kind));
    for (const [url, body] of Object.entries(seeds)) {
      const payload = { ...body, metadata: { name: 'seed' } };
      expect(await app.inject({ method: 'POST', url, payload })).toMatchObject({ statusCode: 201 });
    }
    const until = performance.now() + limitMs;
    for (; done < count && performance.now() < until; done++) await tryOne(next());
    if (!isSoak) expect(done).toBe(count);
    // It would find little if all, or nothing, were refused.
    for (const code of [200, 201, 400, 404, 409, 422])
      expect(answers[code], String(code)).toBeGreaterThan(done / 200);
  },
  limitMs + 20_000,
);

async function tryOne(request: FuzzRequest): Promise<void> {
  const start = performance.now();
  const { statusCode, body } = await app.inject(request);
  const ms = performance.now() - start;
  answers[statusCode] = (answers[statusCode] ?? 0) + 1;
  const shown = () =>
    `request ${done}: ${JSON.stringify({ ...request, payload: request.payload?.toString() })}`;
  // Nobody is behind the proxies here.
  const isUnreachable = statusCode === 503 && request.url.includes('/proxy');
  if (statusCode >= 500 && !isUnreachable)
    throw new Error(`${statusCode} ${body}: ${shown()}`, { cause: failure });
  if (ms > 3_000) throw new Error(`took ${Math.round(ms)} ms: ${shown()}`);
  if (statusCode >= 400 && JSON.parse(body).kind !== 'Status')
    throw new Error(`${body}: ${shown()}`);
  if (broken.length > 0) throw new Error(`stored: ${broken.join()}: ${shown()}`);
}
