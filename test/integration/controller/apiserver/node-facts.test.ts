import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Node } from '../../../../api/node.ts';
import { Pod } from '../../../../api/pod.ts';
import { buildApiServer } from '../../../../controller/apiserver/api-server.ts';
import type { ApiServerDeps } from '../../../../controller/apiserver/call.ts';
import { openUsageBoard } from '../../../../controller/usage-board.ts';
import { anObject } from '../../../support/an-object.ts';
import { type ApiWorld, noPodAccess, openApiWorld } from '../../../support/api-server.ts';
import { fakeClock } from '../../../support/fake-clock.ts';

const clock = fakeClock(Date.parse('2026-01-01T00:00:00Z'));
let world: ApiWorld;
let app: FastifyInstance;
const usage = openUsageBoard(clock);

beforeEach(async () => {
  world = await openApiWorld({
    clock,
    usage,
    podAccess: { ...noPodAccess, nodeText: async (node, what) => `${node} says ${what}` },
  });
  app = serve({});
});
afterEach(async () => {
  await app.close();
  await world.close();
});

function serve(instead: Partial<ApiServerDeps>): FastifyInstance {
  return buildApiServer({ ...world.deps, ...instead }).app;
}

const get = async (path: string) => {
  const { statusCode, body } = await app.inject(path);
  return { code: statusCode, body };
};

describe('health', () => {
  it.each(['/livez', '/healthz', '/readyz', '/readyz/store'])('%s is ok', async (path) => {
    expect(await get(path)).toEqual({ code: 200, body: 'ok' });
  });

  it('lists its checks when asked to, without those that are excluded', async () => {
    expect(await get('/readyz?verbose')).toEqual({
      code: 200,
      body: '[+]ping ok\n[+]store ok\n[+]informer-sync ok\n[+]shutdown ok\nreadyz check passed\n',
    });
    expect((await get('/livez?verbose&exclude=store')).body).toBe(
      '[+]ping ok\nlivez check passed\n',
    );
  });

  it('is bad when the store does not answer: first for readiness, then for life', async () => {
    app = serve({ readStore: () => new Promise(() => {}) });
    const [ready, live] = [get('/readyz'), get('/livez')];
    await until(() => clock.advance(2001), ready);
    expect(await ready).toEqual({
      code: 500,
      body: '[+]ping ok\n[-]store failed: reason withheld\n[+]informer-sync ok\n[+]shutdown ok\nreadyz check failed\n',
    });
    await until(() => clock.advance(10_001), live);
    expect((await live).code).toBe(500);
    expect(await get('/livez/ping')).toEqual({ code: 200, body: 'ok' });
  });

  it('is bad for readiness when the cache has not what the store has', async () => {
    const revision = await world.deps.currentRevision();
    app = serve({ currentRevision: async () => revision + 1 });
    const ready = get('/readyz');
    await until(() => clock.advance(2001), ready);
    expect((await ready).body).toContain('[-]informer-sync failed');
  });
});

/** Turns the clock until the answer is there: the request takes a while to reach its timer. */
async function until(turn: () => void, answer: Promise<unknown>): Promise<void> {
  let here = false;
  void answer.then(() => (here = true));
  while (!here) {
    turn();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('metrics.k8s.io', () => {
  const base = '/apis/metrics.k8s.io/v1beta1';
  const running = { state: { running: {} } };
  const pod = (name: string, ...containers: string[]) => ({
    ...anObject(Pod, {
      metadata: { name, namespace: 'default', labels: { app: name } },
      spec: { nodeName: 'n1', containers: containers.map((each) => ({ name: each, image: 'i' })) },
    }),
  });

  beforeEach(async () => {
    await world.objects.create(Node, anObject(Node, { metadata: { name: 'n1' } }));
    await world.objects.create(Node, anObject(Node, { metadata: { name: 'silent' } }));
    const stored = await Promise.all([
      world.objects.create(Pod, pod('web', 'a', 'ended')),
      world.objects.create(Pod, pod('api', 'a')),
    ]);
    for (const made of stored)
      await world.objects.modify(
        Pod,
        { key: { namespace: 'default', name: made.metadata.name }, part: 'status' },
        (object) => ({
          ...object,
          status: {
            ...object.status,
            containerStatuses: ['a', 'ended'].map((name) => ({
              ...{ name, image: 'i', imageID: '', ready: true, restartCount: 0, lastState: {} },
              ...(name === 'a' ? running : { state: {} }),
            })),
          },
        }),
      );
    const containers = stored.flatMap(({ metadata }) =>
      ['a', 'ended'].map((container) => ({
        ...{ podUid: metadata.uid, container, cpuNanocores: 1234, memoryBytes: 2049 },
      })),
    );
    usage.report('n1', {
      windowMs: 10_000,
      nodeCpuNanocores: 5_000_000,
      nodeMemoryBytes: 1024,
      containers,
    });
    await world.cache.reached(await world.deps.currentRevision());
  });

  it('is discovered with what can be done with it', async () => {
    expect(
      (await app.inject('/apis')).json().groups.map((g: { name: string }) => g.name),
    ).toContain('metrics.k8s.io');
    expect((await app.inject(base)).json().resources).toMatchObject([
      { name: 'nodes', kind: 'NodeMetrics', namespaced: false, verbs: ['get', 'list'] },
      { name: 'pods', kind: 'PodMetrics', namespaced: true, verbs: ['get', 'list'] },
    ]);
  });

  it('has the nodes that were heard, and the containers that run', async () => {
    const nodes = (await app.inject(`${base}/nodes`)).json();
    expect(nodes).toMatchObject({
      kind: 'NodeMetricsList',
      items: [
        { metadata: { name: 'n1' }, window: '10s', usage: { cpu: '5000000n', memory: '1Ki' } },
      ],
    });
    const pods = (await app.inject(`${base}/namespaces/default/pods?labelSelector=app=web`)).json();
    expect(pods.items).toMatchObject([
      {
        metadata: { name: 'web', labels: { app: 'web' } },
        containers: [{ name: 'a', usage: { cpu: '1234n', memory: '3Ki' } }],
      },
    ]);
    expect((await app.inject(`${base}/pods`)).json().items).toHaveLength(2);
  });

  it('gives one by its name, and says what it does not have and does not do', async () => {
    const one = await app.inject(`${base}/namespaces/default/pods/api`);
    expect(one.json()).toMatchObject({ kind: 'PodMetrics', metadata: { name: 'api' } });
    expect((await app.inject(`${base}/nodes/silent`)).json().message).toBe(
      'nodes.metrics.k8s.io "silent" not found',
    );
    expect((await app.inject(`${base}/pods?watch=true`)).statusCode).toBe(405);
  });

  it('forgets a node that has been silent for a minute', async () => {
    clock.advance(60_000);
    expect((await app.inject(`${base}/nodes`)).json().items).toEqual([]);
  });
});

describe('/metrics', () => {
  it('counts requests by verb, resource and code, and asks nodes for theirs', async () => {
    await app.inject('/api/v1/pods');
    await app.inject('/api/v1/namespaces/default/pods/none');
    const { body, headers } = await app.inject('/metrics');
    expect(headers['content-type']).toContain('text/plain');
    expect(body).toContain('apiserver_request_total{verb="list",resource="pods",code="200"} 1');
    expect(body).toContain('apiserver_request_total{verb="get",resource="pods",code="404"} 1');
    expect(body).toContain('apiserver_longrunning_requests{verb="watch"} 0');
    expect(await get('/api/v1/nodes/none/proxy/metrics')).toMatchObject({ code: 404 });
    await world.objects.create(Node, anObject(Node, { metadata: { name: 'n1' } }));
    await world.cache.reached(await world.deps.currentRevision());
    expect((await get('/api/v1/nodes/n1/proxy/healthz')).body).toBe('n1 says healthz');
  });

  it('are for administrators only, health for everybody', async () => {
    app = serve({ authenticate: () => ({ name: 'eve', groups: [] }) });
    expect((await get('/metrics')).code).toBe(403);
    expect((await get('/api/v1/nodes/n1/proxy/metrics')).code).toBe(403);
    expect((await get('/readyz')).code).toBe(200);
  });
});
